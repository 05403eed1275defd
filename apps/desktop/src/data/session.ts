// Who is signed in, as the page's own server tells it, and the ways in and out.

import { call, callJson } from './api.ts'

export interface SessionCluster {
  readonly key: string
  readonly name: string
  readonly server: string
  readonly namespace?: string
  /** Resource group, where it is a cluster of this server. */
  readonly group?: string
}

export interface Session {
  readonly signedIn: boolean
  readonly mode: 'server' | 'kubeconfig'
  /** Signed in to the server itself: Resource Manager answers. */
  readonly arm?: { readonly clientId: string; readonly subscriptionId: string }
  readonly clusters?: readonly SessionCluster[]
}

export type SignInForm =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'client'; readonly clientId: string; readonly clientSecret: string }
  | { readonly kind: 'token'; readonly cluster: string; readonly token: string }
  | { readonly kind: 'kubeconfig'; readonly text: string }

export const readSession = (): Promise<Session> => callJson<Session>('session')

export const signIn = (form: SignInForm): Promise<Session> =>
  callJson<Session>('session', { method: 'POST', body: form })

export async function signOut(): Promise<void> {
  await call('session', { method: 'DELETE' })
}

/** The code of `aksel desktop` stands behind the `#`, which no server sees; it is taken out of the address at once. */
export function takeCode(): string | undefined {
  // A link that is opened where the page is already changes the address and nothing else.
  addEventListener('hashchange', () => location.hash.startsWith('#code=') && location.reload())
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1]
  if (code !== undefined) history.replaceState(null, '', location.pathname + location.search)
  return code
}
