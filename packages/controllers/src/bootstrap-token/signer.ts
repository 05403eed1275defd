// Signs the ConfigMap cluster-info by every bootstrap token that may: who knows a token can tell whether it is genuine.

import { configMaps, secrets } from '@aksel/api/resources'
import type { ConfigMap, Secret } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import { again, done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import { isSame } from '../canonical.ts'
import type { LoopParts } from '../parts.ts'
import { detachedSignature, expiryOf, isTokenSecret, signingTokenOf, type SigningToken } from './token-secret.ts'

const clusterInfo = { namespace: 'kube-public', name: 'cluster-info' }
const infoKey = 'kube-public/cluster-info'
const signaturePrefix = 'jws-kubeconfig-'
/** A timer holds no more than some weeks, and looking once a day costs nothing. */
const LOOK_AGAIN_MAX_MS = 86_400_000

/** The data as it has to be: a signature a token, and none of tokens that are no more. Nothing is signed without a kubeconfig. */
export function signedData(
  data: Readonly<Record<string, string>>,
  tokens: readonly SigningToken[],
): Readonly<Record<string, string>> {
  const { kubeconfig } = data
  if (kubeconfig === undefined) return data
  const others = Object.entries(data).filter(([name]) => !name.startsWith(signaturePrefix))
  const signatures = tokens.map((token) => [signaturePrefix + token.id, detachedSignature(kubeconfig, token)] as const)
  return Object.fromEntries([...others, ...signatures])
}

export function bootstrapSigner({ client, caches }: LoopParts): Controller {
  const maps = caches.of(configMaps)
  const tokens = caches.of(secrets)
  const own: Source<ConfigMap> = {
    type: configMaps,
    keysOf: (now) =>
      now?.metadata.name === clusterInfo.name && now.metadata.namespace === clusterInfo.namespace ? [infoKey] : [],
  }
  const signers: Source<Secret> = {
    type: secrets,
    keysOf: (now, before) => ([now, before].some((one) => one !== undefined && isTokenSecret(one)) ? [infoKey] : []),
  }
  return {
    name: 'bootstrap-signer',
    sources: [own, signers] as unknown as readonly Source[],
    async reconcile(scope) {
      const info = maps.get(infoKey)
      if (info === undefined || info.metadata.deletionTimestamp !== undefined) return done
      const nowMs = scope.clock.now()
      const all = tokens.list('kube-system').filter(isTokenSecret)
      const wanted = signedData(
        info.data ?? {},
        all.flatMap((secret) => signingTokenOf(secret, nowMs) ?? []),
      )
      if (!isSame(wanted, info.data ?? {}))
        await ignoreReason('NotFound', client.update(configMaps, { ...info, data: wanted }))
      const ends = all.map((secret) => (expiryOf(secret) ?? Infinity) - nowMs).filter((leftMs) => leftMs > 0)
      const firstMs = Math.min(...ends)
      return firstMs === Infinity ? done : again(Math.min(firstMs, LOOK_AGAIN_MAX_MS))
    },
  }
}
