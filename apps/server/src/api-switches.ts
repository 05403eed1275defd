// Which betas and alphas a cluster has: read from the server's flags, remembered with each cluster, checked before either.

import { catalogOf } from '@aksel/api/catalog'
import { checkGateNames } from '@aksel/api/feature-gates'
import { minors } from '@aksel/api/tables'

export type Switches = Readonly<Record<string, boolean>>

/** By upstream's names: `--runtime-config` and `--feature-gates` of its API server. */
export interface ApiSwitches {
  readonly runtimeConfig?: Switches
  readonly featureGates?: Switches
}

/** `api/beta=true,storage.k8s.io/v1beta1` of a flag; a bare name means true, where the flag allows it. Throws with the flag's name. */
export function parseSwitches(flag: string, text: string, { bare }: { readonly bare: boolean }): Switches {
  const switches: Record<string, boolean> = {}
  for (const part of text.split(',')) {
    const [name = '', value, ...more] = part.split('=').map((one) => one.trim())
    if (name === '' || more.length > 0)
      throw new Error(`Cannot read "--${flag} ${text}": "${part}" is no NAME=true|false`)
    if (value === undefined && !bare) throw new Error(`Cannot read "--${flag} ${text}": missing bool value for ${name}`)
    if (value !== undefined && value !== 'true' && value !== 'false')
      throw new Error(`Cannot read "--${flag} ${text}": invalid value of ${name}: "${value}" is neither true nor false`)
    switches[name] = value !== 'false'
  }
  return switches
}

/** Throws for names that mean nothing to the minor; where none is given, to any minor that is offered. */
export async function checkSwitches(switches: ApiSwitches, kubernetesVersion?: string): Promise<void> {
  checkGateNames(Object.keys(switches.featureGates ?? {}))
  const asked = minors.filter((minor) => kubernetesVersion === undefined || kubernetesVersion.startsWith(`${minor}.`))
  const refusals: unknown[] = []
  for (const minor of asked) {
    try {
      await catalogOf(minor, switches)
      return
    } catch (error) {
      refusals.push(error)
    }
  }
  throw refusals.at(-1)
}

/** Those that mean something to the minor: a version that it no longer knows went away with the older one. */
export async function switchesKnownTo(kubernetesVersion: string, switches: ApiSwitches): Promise<ApiSwitches> {
  const { runtimeConfig = {}, ...rest } = switches
  const kept: Record<string, boolean> = {}
  for (const [name, value] of Object.entries(runtimeConfig)) {
    const known = checkSwitches({ runtimeConfig: { [name]: value } }, kubernetesVersion)
    if (
      await known.then(
        () => true,
        () => false,
      )
    )
      kept[name] = value
  }
  return Object.keys(kept).length === 0 ? rest : { ...rest, runtimeConfig: kept }
}
