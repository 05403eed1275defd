// What the pods of an account may mount where the account says that it is these secrets and no others: upstream's annotation
// `kubernetes.io/enforce-mountable-secrets`, deprecated and kept.

import type { Container, Pod, ServiceAccount } from '@aksel/api/types/core-v1'

const annotation = 'kubernetes.io/enforce-mountable-secrets'

type Environment = Pick<Container, 'name' | 'env'>

/** Why a pod may not be, in upstream's words; undefined where it may. */
export function mountableFault(pod: Pod, account: ServiceAccount): string | undefined {
  if (account.metadata.annotations?.[annotation] !== 'true') return undefined
  const isNot = `is not allowed because service account ${account.metadata.name} does not reference that`
  const mountable = new Set((account.secrets ?? []).map(({ name }) => name))
  const pullable = new Set((account.imagePullSecrets ?? []).map(({ name }) => name))
  const { spec } = pod
  const volume = (spec?.volumes ?? []).find(({ secret }) => secret !== undefined && !mountable.has(secret.secretName))
  if (volume !== undefined) return `volume with secret.secretName="${volume.secret?.secretName}" ${isNot} secret`
  const kinds = [
    ['init container', spec?.initContainers ?? []],
    ['container', spec?.containers ?? []],
    ['ephemeral container', (spec?.ephemeralContainers ?? []) as readonly Environment[]],
  ] as const
  for (const [kind, containers] of kinds) {
    for (const { name, env = [] } of containers) {
      const bad = env.find(({ valueFrom }) => isForeign(valueFrom?.secretKeyRef?.name, mountable))
      if (bad !== undefined)
        return `${kind} ${name} with envVar ${bad.name} referencing secret.secretName="${bad.valueFrom?.secretKeyRef?.name}" ${isNot} secret`
    }
  }
  const pulls = spec?.imagePullSecrets ?? []
  const at = pulls.findIndex(({ name }) => isForeign(name, pullable))
  return at < 0 ? undefined : `imagePullSecrets[${at}].name="${pulls[at]!.name}" ${isNot} imagePullSecret`
}

function isForeign(name: string | undefined, known: ReadonlySet<string | undefined>): boolean {
  return name !== undefined && !known.has(name)
}
