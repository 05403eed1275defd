// Every namespace has a ConfigMap `kube-root-ca.crt`, by which pods know the API server.

import { configMaps, namespaces } from '@aksel/api/resources'
import type { ConfigMap, Namespace } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import { done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import { isSame } from '../canonical.ts'
import type { LoopParts } from '../parts.ts'
import { isNamespaceTerminating } from '../pod-control.ts'

const name = 'kube-root-ca.crt'
const descriptionKey = 'kubernetes.io/description'
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.'

export interface RootCaParts extends LoopParts {
  /** Certificate of the cluster's authority, PEM. */
  readonly rootCaPem: string
}

export function rootCaController({ client, caches, rootCaPem }: RootCaParts): Controller {
  const known = caches.of(namespaces)
  const maps = caches.of(configMaps)
  const spaces: Source<Namespace> = {
    type: namespaces,
    keysOf: (now) => (now === undefined ? [] : [now.metadata.name]),
  }
  const changes: Source<ConfigMap> = {
    type: configMaps,
    keysOf: (now, before) => ((now ?? before)!.metadata.name === name ? [(now ?? before)!.metadata.namespace!] : []),
  }
  return {
    name: 'root-ca',
    sources: [spaces, changes],
    async reconcile(_scope, key) {
      const namespace = known.get(key)
      if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return done
      const stored = maps.get(`${key}/${name}`)
      const data = { 'ca.crt': rootCaPem }
      const metadata = { name, namespace: key, annotations: { [descriptionKey]: description } }
      if (stored === undefined) {
        await client.create(configMaps, { metadata, data }).catch(ignoreExpected)
        return done
      }
      if (isSame(stored.data, data) && stored.metadata.annotations?.[descriptionKey] !== undefined) return done
      const annotations = { ...stored.metadata.annotations, [descriptionKey]: description }
      const { binaryData: _, ...rest } = stored
      await client.update(configMaps, { ...rest, metadata: { ...stored.metadata, annotations }, data })
      return done
    },
  }
}

function ignoreExpected(error: unknown): void {
  if (!isReason(error, 'AlreadyExists') && !isNamespaceTerminating(error)) throw error
}
