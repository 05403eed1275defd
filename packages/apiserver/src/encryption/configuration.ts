// Reads and judges an EncryptionConfiguration, with upstream's words.

import type {
  EncryptedResources,
  EncryptionConfiguration,
  EncryptionKey,
  EncryptionProvider,
} from '@aksel/api/encryption-configuration'
import { duplicate, invalid, required, type FieldError } from '@aksel/api/field-errors'
import { readConfiguration, type ConfigurationKind } from '../configuration-file.ts'

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
  return all.flatMap(({ resources = [], providers = [] }, at) => [
    ...resourceFaults(resources, `resources[${at}].resources`),
    ...(providers.length === 0 ? [required(`resources[${at}].providers`, 'at least one provider is required')] : []),
    ...providers.flatMap((provider, index) => providerFaults(provider, `resources[${at}].providers[${index}]`)),
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

function providerFaults(provider: EncryptionProvider, path: string): readonly FieldError[] {
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
  if (kind === 'kms')
    return [
      invalid(
        `${path}.kms`,
        kind,
        'key management services are not supported: aesgcm, aescbc, secretbox and identity are',
      ),
    ]
  if (kind === 'identity') return []
  const own = kind as keyof typeof lengths
  const all = (provider[own] as { readonly keys?: readonly EncryptionKey[] }).keys ?? []
  if (all.length === 0) return [required(`${path}.${own}.keys`, 'at least one key is required')]
  return all.flatMap((key, at) =>
    keyFaults(key, all.slice(0, at), { path: `${path}.${own}.keys[${at}]`, lengths: lengths[own] }),
  )
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
