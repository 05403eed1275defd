// The custom kinds of one server, with webhooks to convert between their versions.

import type { Catalog } from '@aksel/api/catalog'
import type { Scope } from '@aksel/base/scope'
import type { RecordStore } from '../registry/record-store.ts'
import type { WebhookClient } from '../webhook/client.ts'
import { CustomKinds } from './custom-kinds.ts'
import { webhookConverter, type PostReview } from './webhook-converter.ts'

/** As long as upstream waits for a conversion. */
const CONVERSION_TIMEOUT_MS = 30_000

export function customKinds(
  scope: Scope,
  records: RecordStore,
  catalog: Catalog,
  webhooks: WebhookClient,
): CustomKinds {
  const post: PostReview = (target, body) => webhooks.post({ target, body, timeoutMs: CONVERSION_TIMEOUT_MS })
  return new CustomKinds({
    catalog,
    records,
    signal: scope.signal,
    converter: (definition) => webhookConverter(post, scope.random, definition),
  })
}
