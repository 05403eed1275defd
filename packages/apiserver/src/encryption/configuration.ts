// Reads and judges an EncryptionConfiguration, with upstream's words.

import type {
  EncryptedResources,
  EncryptionConfiguration,
  EncryptionKey,
  EncryptionProvider,
  KmsConfiguration,
} from '@aksel/api/encryption-configuration'
import { duplicate, invalid, required, type FieldError } from '@aksel/api/field-errors'
import { durationMs, readConfiguration, type ConfigurationKind } from '../configuration-file.ts'

const keys = { keys: [{ name: 'string', secret: 'string' }] } as const

const configurationKind: ConfigurationKind = {
  kind: 'EncryptionConfiguration',
  apiVersions: ['apiserver.config.k8s.io/v1'],
  fields: {
    resources: [
      {
        resources: 'strings',
        providers: [
          {
            aesgcm: keys,
            aescbc: keys,
            secretbox: keys,
            identity: {},
            kms: {
              apiVersion: 'string',
              name: 'string',
              endpoint: 'string',
              timeout: 'string',
              cachesize: 'number',
            },
          },
        ],
      },
    ],
  },
}

/** Of the file that upstream's `--encryption-provider-config` names. Throws an Error in words for its writer, never with a secret. */
export async function readEncryptionConfiguration(text: string): Promise<EncryptionConfiguration> {
  const { resources = [] } = (await readConfiguration(text, configurationKind)) as Partial<EncryptionConfiguration>
  const faults = encryptionFaults(resources)
  if (faults.length > 0) throw new Error(faults.map(({ field, message }) => `${field}: ${message}`).join(', '))
  return { resources }
}

function encryptionFaults(all: readonly Partial<EncryptedResources>[]): readonly FieldError[] {
  if (all.length === 0) return [required('resources', 'at least one resource is required')]
  const names = new Set<string>()
  return all.flatMap(({ resources = [], providers = [] }, at) => [
    ...resourceFaults(resources, `resources[${at}].resources`),
    ...(providers.length === 0 ? [required(`resources[${at}].providers`, 'at least one provider is required')] : []),
    ...providers.flatMap((provider, index) => providerFaults(provider, `resources[${at}].providers[${index}]`, names)),
  ])
}

function resourceFaults(resources: readonly string[], path: string): readonly FieldError[] {
  if (resources.length === 0) return [required(path, 'at least one resource is required')]
  const faults: FieldError[] = []
  const seen = new Set<string>()
  for (const [at, resource] of resources.entries()) {
    const here = `${path}[${at}]`
    if (resource === '') faults.push(required(here))
    else if (resource !== resource.toLowerCase())
      faults.push(invalid(here, resource, 'resource names should be lowercase only'))
    else if (resource === '*')
      faults.push(
        invalid(
          here,
          resource,
          'use *. to encrypt all the resources from core API group or *.* to encrypt all resources',
        ),
      )
    else if (seen.has(resource)) faults.push(duplicate(here, resource))
    seen.add(resource)
  }
  if (seen.has('*.*') && seen.size > 1)
    faults.push(
      invalid(
        path,
        '*.*',
        'using overlapping resources such as "secrets" and "*.*" in the same resource list is not allowed as they will be masked',
      ),
    )
  return faults
}

const lengths = { aesgcm: [16, 24, 32], aescbc: [16, 24, 32], secretbox: [32] } as const

/** `names`: of the key management services so far. */
function providerFaults(provider: EncryptionProvider, path: string, names: Set<string>): readonly FieldError[] {
  const kinds = Object.keys(provider)
  if (kinds.length === 0)
    return [
      required(
        path,
        'provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity',
      ),
    ]
  if (kinds.length > 1)
    return [
      invalid(
        path,
        kinds.join(' '),
        'more than one provider specified in a single element, should split into different list elements',
      ),
    ]
  const [kind] = kinds
  if (kind === 'kms') return kmsFaults(provider.kms!, `${path}.kms`, names)
  if (kind === 'identity') return []
  const own = kind as keyof typeof lengths
  const all = (provider[own] as { readonly keys?: readonly EncryptionKey[] }).keys ?? []
  if (all.length === 0) return [required(`${path}.${own}.keys`, 'at least one key is required')]
  return all.flatMap((key, at) =>
    keyFaults(key, all.slice(0, at), { path: `${path}.${own}.keys[${at}]`, lengths: lengths[own] }),
  )
}

type WrittenKms = Partial<Omit<KmsConfiguration, 'apiVersion'>> & {
  readonly apiVersion?: string
  readonly cachesize?: number
}

function kmsFaults(
  { name = '', timeout, endpoint = '', cachesize, apiVersion = 'v1' }: WrittenKms,
  path: string,
  names: Set<string>,
): readonly FieldError[] {
  const faults: FieldError[] = []
  if (name === '') faults.push(required(`${path}.name`, 'name is a mandatory field for a provider'))
  if (name.includes(':'))
    faults.push(invalid(`${path}.name`, name, `invalid KMS provider name ${name}, must not contain ':'`))
  if (names.has(name))
    faults.push(invalid(`${path}.name`, name, `duplicate KMS provider name ${name}, names must be unique`))
  names.add(name)
  if (timeout !== undefined && !((durationMs(timeout) ?? 0) > 0))
    faults.push(invalid(`${path}.timeout`, timeout, 'timeout should be a positive value'))
  const fault = endpointFault(endpoint)
  if (fault !== undefined) faults.push(invalid(`${path}.endpoint`, endpoint, fault))
  if (cachesize !== undefined && apiVersion === 'v2')
    faults.push(invalid(`${path}.cachesize`, cachesize, 'cachesize is not supported in v2'))
  if (apiVersion === 'v1')
    faults.push(
      invalid(
        `${path}.apiVersion`,
        apiVersion,
        'KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 instead.',
      ),
    )
  else if (apiVersion !== 'v2')
    faults.push(
      invalid(
        `${path}.apiVersion`,
        apiVersion,
        `unsupported apiVersion ${apiVersion} for KMS provider, only v1 and v2 are supported`,
      ),
    )
  return faults
}

function endpointFault(endpoint: string): string | undefined {
  if (endpoint === '') return 'endpoint is a mandatory field for a kms'
  const [, scheme = ''] = /^([a-z][a-z0-9+.-]*):/i.exec(endpoint) ?? []
  if (scheme !== 'unix') return `unsupported scheme "${scheme}" for KMS provider, only unix is supported`
  return /^unix:\/\/\/./.test(endpoint)
    ? undefined
    : 'invalid endpoint for kms provider, error: an absolute path is expected'
}

/** The secret itself stands in no error. */
function keyFaults(
  { name = '', secret = '' }: Partial<EncryptionKey>,
  before: readonly EncryptionKey[],
  { path, lengths: known }: { readonly path: string; readonly lengths: readonly number[] },
): readonly FieldError[] {
  const faults: FieldError[] = []
  if (name === '') faults.push(required(`${path}.name`))
  else if (/[:\s]/.test(name)) faults.push(invalid(`${path}.name`, name, 'a name has neither colons nor spaces'))
  else if (before.some((other) => other.name === name)) faults.push(duplicate(`${path}.name`, name))
  if (secret === '') return [...faults, required(`${path}.secret`)]
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(secret))
    return [...faults, invalid(`${path}.secret`, 'REDACTED', 'secret must be base64 encoded')]
  const { length } = Buffer.from(secret, 'base64')
  if (!known.includes(length))
    faults.push(
      invalid(
        `${path}.secret`,
        'REDACTED',
        `secret is not of the expected length, got ${length}, expected one of [${known.join(' ')}]`,
      ),
    )
  return faults
}
