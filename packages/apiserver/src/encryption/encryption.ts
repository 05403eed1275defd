// An EncryptionConfiguration at work: its key management services are asked, for all clusters of the server together.

import type { EncryptionConfiguration, KmsConfiguration } from '@aksel/api/encryption-configuration'
import type { Scope } from '@aksel/base/scope'
import { durationMs } from '../configuration-file.ts'
import { connectKms } from './kms/grpc-service.ts'
import { KmsProvider } from './kms/provider.ts'

/** What a server is handed. */
export interface Encryption extends EncryptionConfiguration {
  /** By their names; each that the configuration names. Absent where it names none. */
  readonly kms?: ReadonlyMap<string, KmsProvider>
}

export interface OpenedEncryption extends Encryption, Disposable {
  /** For so long calls may be under way that were begun before it was replaced. */
  readonly graceMs: number
}

const TIMEOUT_MS = 3000

/** Waits until each service answered or its timeout is over: who does not answer may later. Disposing it lets the services go. */
export async function openEncryption(scope: Scope, configuration: EncryptionConfiguration): Promise<OpenedEncryption> {
  const named = configuration.resources.flatMap(({ providers }) => providers.flatMap(({ kms }) => kms ?? []))
  const kms = new Map(named.map((one) => [one.name, new KmsProvider(scope, one.name, serviceOf(scope, one))]))
  await Promise.all([...kms.values()].map((provider) => provider.start()))
  return {
    ...configuration,
    kms,
    graceMs: named.reduce((sum, one) => sum + timeoutOf(one), 0),
    [Symbol.dispose]: () => kms.forEach((provider) => provider[Symbol.dispose]()),
  }
}

function serviceOf(scope: Scope, one: KmsConfiguration): ReturnType<typeof connectKms> {
  return connectKms(scope.clock, { endpoint: one.endpoint, timeoutMs: timeoutOf(one) })
}

function timeoutOf({ timeout }: KmsConfiguration): number {
  return timeout === undefined ? TIMEOUT_MS : durationMs(timeout)!
}

/** What is wrong with its services, as upstream's check `kms-providers` says it; undefined where all is well. */
export async function kmsFault({ kms }: Encryption): Promise<string | undefined> {
  const faults = await Promise.all(
    [...(kms?.values() ?? [])].map(async (provider, at) => {
      const fault = await provider.check()
      return fault === undefined ? [] : [`kms-provider-${at}: ${fault}`]
    }),
  )
  const all = faults.flat()
  if (all.length === 0) return undefined
  return all.length === 1 ? all[0] : `[${all.join(', ')}]`
}
