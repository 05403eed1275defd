// What a desktop is made with, and the names that its parts agree on.

import type { FrontDoorPlace } from './front-door-client.ts'
import type { KubeconfigContexts } from './kubeconfig-file.ts'
import type { SignInParts } from './sign-in.ts'

export const PREFIX = '/desktop'

export interface DesktopOptions {
  readonly scheme: 'http' | 'https'
  /** Folder of the built page at this moment; undefined while there is none. */
  readonly assets: () => string | undefined
  /** Absent where only the clusters of a kubeconfig are shown. */
  readonly frontDoor?: () => FrontDoorPlace
  readonly endpointOf?: SignInParts['endpointOf']
  readonly isOwnServer?: SignInParts['isOwnServer']
  /** The file that the person who started the desktop named. */
  readonly kubeconfig?: KubeconfigContexts
}

/** Browsers keep a cookie of this prefix to the very host that set it over TLS. */
export function cookieName(scheme: 'http' | 'https'): string {
  return scheme === 'https' ? '__Host-aksel' : 'aksel-desktop'
}
