// Clients of DNS and HTTP from Debian's packages, for pods that look at the network as an operator would: dig, dnsperf, curl.

import type { Scope } from '@aksel/base/scope'
import type { Architecture } from '@aksel/node/images/builder'
import { busyboxLayer, PATH, programLayer } from '@aksel/node/images/layers'
import type { ImageSpec } from '@aksel/node/images/oci-archive'

export const networkToolsReference = 'docker.io/library/network-tools:1'

const programs = ['dig', 'dnsperf', 'curl']

export async function networkToolsImage(
  scope: Scope,
  options: { readonly architecture: Architecture; readonly busyboxPath: string },
): Promise<ImageSpec> {
  const layers = programs.map((name) => programLayer(scope, `/usr/bin/${name}`, `usr/bin/${name}`))
  return {
    references: [networkToolsReference],
    architecture: options.architecture,
    layers: [await busyboxLayer(scope, options.busyboxPath), ...(await Promise.all(layers))],
    config: { Env: [PATH], Entrypoint: ['sleep', 'infinity'] },
  }
}
