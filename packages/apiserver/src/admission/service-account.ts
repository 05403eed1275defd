// Gives every pod its service account: the name, a token volume, and the account's pull secrets.

import type { Pod, ServiceAccount } from '@aksel/api/types/core-v1'
import type { Draft } from '@aksel/base/draft'
import { nameSuffix, type Random } from '@aksel/base/ids'
import { forbiddenError } from '../refusals.ts'
import { concerns, type AdmissionPlugin, type AdmissionRequest } from './admission.ts'
import { anyMirrorFault, mirrorAnnotation } from './mirror-pods.ts'
import { mountableFault } from './mountable-secrets.ts'

const tokenMountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
/** An hour, plus what tells such tokens from ones that were asked for. */
const TOKEN_SECONDS = 3607

export const serviceAccountAdmission: AdmissionPlugin = {
  name: 'ServiceAccount',
  handles: (request) =>
    (request.operation === 'CREATE' && concerns(request, '', 'pods')) || attachesContainers(request),
  async admit(request, { records, kinds, random }) {
    if (request.operation !== 'CREATE') return false
    const pod = request.object as unknown as Draft<Pod>
    if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined || pod.spec === undefined) return false
    const account = pod.spec.serviceAccountName ?? ''
    const name = account === '' ? 'default' : account
    pod.spec.serviceAccountName = name
    pod.spec.serviceAccount = name
    const record = await records.get(kinds.find('', 'v1', 'serviceaccounts')!, request.namespace, name)
    if (record === undefined) {
      throw forbiddenError(
        request.row,
        pod.metadata.name ?? '',
        `error looking up service account ${request.namespace}/${name}: serviceaccount "${name}" not found`,
      )
    }
    const found = record.object as ServiceAccount
    if (mountsToken(pod, found)) mountToken(pod, random)
    if (!pod.spec.imagePullSecrets?.length && found.imagePullSecrets?.length) {
      pod.spec.imagePullSecrets = found.imagePullSecrets.map((secret) => ({ ...secret }))
    }
    return true
  },
  /** After everything that may have changed the pod. */
  async validate(request, { records, kinds }) {
    const pod = request.object as unknown as Pod
    const refuse = (text: string): Error => forbiddenError(request.row, pod.metadata.name ?? request.name, text)
    if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) {
      const fault = anyMirrorFault(pod)
      if (fault !== undefined) throw refuse(fault)
      return
    }
    const row = kinds.find('', 'v1', 'serviceaccounts')!
    const account = await records.get(row, request.namespace, pod.spec?.serviceAccountName ?? 'default')
    const fault = account === undefined ? undefined : mountableFault(pod, account.object as ServiceAccount)
    if (fault !== undefined) throw refuse(fault)
  },
}

function attachesContainers({ operation, row, subresource }: AdmissionRequest): boolean {
  return operation === 'UPDATE' && row.group === '' && row.plural === 'pods' && subresource === 'ephemeralcontainers'
}

function mountsToken(pod: Draft<Pod>, account: ServiceAccount): boolean {
  return pod.spec?.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true
}

function mountToken(pod: Draft<Pod>, random: Random): void {
  const spec = pod.spec!
  const existing = spec.volumes?.find((volume) => volume.name.startsWith('kube-api-access-'))
  const name = existing?.name ?? `kube-api-access-${nameSuffix(random)}`
  let used = false
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    if (container.volumeMounts?.some((mount) => mount.mountPath === tokenMountPath)) continue
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: tokenMountPath }]
    used = true
  }
  if (!used || existing !== undefined) return
  spec.volumes = [
    ...(spec.volumes ?? []),
    {
      name,
      projected: {
        sources: [
          { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
        defaultMode: 0o644,
      },
    },
  ]
}
