// The webhooks of a cluster in the order in which they are asked: configurations by name, then as they list them.

import type { KindRow } from '@aksel/api/kind-row'
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '@aksel/api/types/admissionregistration-v1'
import type { RecordStore } from '../../registry/record-store.ts'
import { CachedList } from './cached-list.ts'
import { compileConditions, type CompiledCondition } from './conditions.ts'
import type { Match } from './matching.ts'

export interface Hook {
  /** Told apart from others of the same name, and from itself after a change of its configuration's list. */
  readonly id: string
  readonly configuration: string
  readonly webhook: ValidatingWebhook | MutatingWebhook
  readonly match: Match
  readonly conditions: readonly CompiledCondition[]
  readonly isFailClosed: boolean
}

export function webhookSource(records: RecordStore, row: KindRow | undefined, signal: AbortSignal): CachedList<Hook> {
  return new CachedList(records, [row], signal, ([configurations = []]) =>
    configurations.flatMap((object) => {
      const configuration = object as ValidatingWebhookConfiguration | MutatingWebhookConfiguration
      const seen = new Map<string, number>()
      return (configuration.webhooks ?? []).map((webhook) => {
        const count = seen.get(webhook.name) ?? 0
        seen.set(webhook.name, count + 1)
        return hookOf(configuration.metadata.name, webhook, count)
      })
    }),
  )
}

function hookOf(configuration: string, webhook: ValidatingWebhook | MutatingWebhook, count: number): Hook {
  let conditions: readonly CompiledCondition[] | undefined
  return {
    id: `${configuration}/${webhook.name}/${count}`,
    configuration,
    webhook,
    match: {
      rules: webhook.rules,
      matchPolicy: webhook.matchPolicy,
      namespaceSelector: webhook.namespaceSelector,
      objectSelector: webhook.objectSelector,
    },
    get conditions() {
      return (conditions ??= compileConditions(webhook.matchConditions, false))
    },
    isFailClosed: webhook.failurePolicy !== 'Ignore',
  }
}
