// Claims, classes, slices and taint rules as the cluster's caches show them.

import type { DeviceTaintRule } from '@aksel/api/kinds/device-taint-rule'
import type { ResourceType } from '@aksel/api/resource'
import { deviceClasses, resourceClaims, resourceSlices } from '@aksel/api/resources'
import type { Caches } from '@aksel/runtime/controller'
import type { DeviceObjects } from './device-ledger.ts'

export class DeviceCaches implements DeviceObjects {
  readonly #caches: Caches
  readonly #taintRules: ResourceType<DeviceTaintRule> | undefined

  /** `taintRules`: absent where the cluster serves none. */
  constructor(caches: Caches, taintRules: ResourceType<DeviceTaintRule> | undefined) {
    this.#caches = caches
    this.#taintRules = taintRules
  }

  claim(key: string): ReturnType<DeviceObjects['claim']> {
    return this.#caches.of(resourceClaims).get(key)
  }

  deviceClass(name: string): ReturnType<DeviceObjects['deviceClass']> {
    return this.#caches.of(deviceClasses).get(name)
  }

  slices(): ReturnType<DeviceObjects['slices']> {
    return this.#caches.of(resourceSlices).list()
  }

  taintRules(): ReturnType<DeviceObjects['taintRules']> {
    return this.#taintRules === undefined ? [] : this.#caches.of(this.#taintRules).list()
  }
}
