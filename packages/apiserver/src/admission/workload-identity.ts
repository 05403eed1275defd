// What AKS's workload identity webhook does to pods that ask for it: the environment that Azure's SDKs read, and a token of the
// pod's service account that the directory takes. Off until the cluster's profile says otherwise.

import type { Container, Pod, ServiceAccount } from '@aksel/api/types/core-v1'
import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { concerns, type AdmissionPlugin } from './admission.ts'

export interface WorkloadIdentity {
  readonly tenantId: string
  /** Where tokens are exchanged, as pods reach it: `https://100.64.0.10:8443/`. */
  readonly authorityHost: string
}

const PREFIX = 'azure.workload.identity/'
const VOLUME = 'azure-identity-token'
const DIRECTORY = '/var/run/secrets/azure/tokens'
const AUDIENCE = 'api://AzureADTokenExchange'
const seconds = { standard: 3_600, least: 3_600, most: 86_400 }

export function workloadIdentity(current: () => WorkloadIdentity | undefined): AdmissionPlugin {
  return {
    name: 'WorkloadIdentity',
    handles: (request) =>
      request.operation === 'CREATE' &&
      concerns(request, '', 'pods') &&
      request.object?.metadata.labels?.[`${PREFIX}use`] === 'true' &&
      current() !== undefined,
    async admit(request, { records, kinds }) {
      const pod = request.object as unknown as Draft<Pod>
      const wish = current()
      if (wish === undefined || pod.spec === undefined) return false
      const name = pod.spec.serviceAccountName ?? 'default'
      const record = await records.get(kinds.find('', 'v1', 'serviceaccounts')!, request.namespace, name)
      const account = record?.object as ServiceAccount | undefined
      const said = (key: string): string | undefined => account?.metadata.annotations?.[PREFIX + key]
      const own = (key: string): string | undefined => pod.metadata.annotations?.[PREFIX + key]
      if (own('inject-proxy-sidecar') === 'true') throw denied('the proxy sidecar is not available here')
      const key = 'service-account-token-expiration'
      const expirationSeconds = expirationOf(own(key) ?? said(key))
      const skipped = (own('skip-containers') ?? '').split(';').map((each) => each.trim())
      const clientId = said('client-id') ?? ''
      const environment = [
        ...(clientId === '' ? [] : [{ name: 'AZURE_CLIENT_ID', value: clientId }]),
        { name: 'AZURE_TENANT_ID', value: said('tenant-id') || wish.tenantId },
        { name: 'AZURE_FEDERATED_TOKEN_FILE', value: `${DIRECTORY}/${VOLUME}` },
        { name: 'AZURE_AUTHORITY_HOST', value: wish.authorityHost },
      ]
      const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
      for (const container of containers) if (!skipped.includes(container.name)) equip(container, environment)
      if (pod.spec.volumes?.some((volume) => volume.name === VOLUME) === true) return true
      const source = { serviceAccountToken: { audience: AUDIENCE, expirationSeconds, path: VOLUME } }
      pod.spec.volumes = [
        ...(pod.spec.volumes ?? []),
        { name: VOLUME, projected: { sources: [source], defaultMode: 0o644 } },
      ]
      return true
    },
  }
}

/** What a container sets itself stays. */
function equip(
  container: Draft<Container>,
  environment: readonly { readonly name: string; readonly value: string }[],
): void {
  const missing = environment.filter(({ name }) => container.env?.some((own) => own.name === name) !== true)
  container.env = [...(container.env ?? []), ...missing]
  if (container.volumeMounts?.some(({ name }) => name === VOLUME) === true) return
  container.volumeMounts = [...(container.volumeMounts ?? []), { name: VOLUME, readOnly: true, mountPath: DIRECTORY }]
}

function expirationOf(text: string | undefined): number {
  if (text === undefined) return seconds.standard
  const value = Number(text)
  if (!Number.isInteger(value)) throw denied(`service account token expiration "${text}" is not a number of seconds`)
  if (value < seconds.least || value > seconds.most)
    throw denied(
      `service account token expiration must be between ${seconds.least} and ${seconds.most} seconds, and not ${value}`,
    )
  return value
}

function denied(why: string): ApiError {
  return new ApiError('Forbidden', `admission webhook "mutation.azure-workload-identity.io" denied the request: ${why}`)
}
