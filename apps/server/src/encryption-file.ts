// The EncryptionConfiguration of this server and the key management services that it names: a new one takes the place of the old
// when all its services are well, and the old services are let go when nobody can be waiting for them any more.

import { readEncryptionConfiguration } from '@aksel/apiserver/encryption/configuration'
import {
  kmsFault,
  openEncryption,
  type Encryption,
  type OpenedEncryption,
} from '@aksel/apiserver/encryption/encryption'
import type { Timer } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { followFile, type FollowedFile } from './followed-file.ts'

/** Until a configuration whose services were not well is tried again. */
const AGAIN_MS = 10_000

/** Rejects with what is wrong with the file. At the start a service may be away: what it sealed cannot be read until it comes. */
export async function followEncryption(scope: Scope, path: string): Promise<FollowedFile<Encryption>> {
  let current: OpenedEncryption | undefined
  let again: Timer | undefined
  const leaving = new Map<OpenedEncryption, Timer>()
  const letGo = (old: OpenedEncryption): void => {
    leaving.delete(old)
    old[Symbol.dispose]()
  }
  const file: FollowedFile<Encryption> = await followFile(scope, path, async (text) => {
    again?.[Symbol.dispose]()
    const opened = await openEncryption(scope, await readEncryptionConfiguration(text))
    const old = current
    if (old !== undefined) {
      const fault = await kmsFault(opened)
      if (fault !== undefined) {
        opened[Symbol.dispose]()
        again = scope.clock.after(AGAIN_MS, () => file.readAgain())
        throw new Error(`a provider of the new configuration is not well: ${fault}`)
      }
      leaving.set(
        old,
        scope.clock.after(old.graceMs, () => letGo(old)),
      )
    }
    current = opened
    return opened
  })
  return {
    get current() {
      return file.current
    },
    onChange: (changed) => file.onChange(changed),
    readAgain: () => file.readAgain(),
    get reloads() {
      return file.reloads
    },
    [Symbol.dispose]() {
      again?.[Symbol.dispose]()
      file[Symbol.dispose]()
      for (const [old, timer] of leaving) {
        timer[Symbol.dispose]()
        letGo(old)
      }
      current?.[Symbol.dispose]()
    },
  }
}
