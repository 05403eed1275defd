// User credentials of a cluster with an Entra profile: a kubeconfig that asks kubelogin for a token, as AKS writes it.

import { aksServerId } from '../../front-door/tokens.ts'

/** The application id of kubelogin. */
const CLIENT_ID = '80faf920-1908-4b52-b5ef-a8e7bedfc67a'

/** The same clusters and contexts, and a user without any secret. */
export function withKubelogin(kubeconfig: string, tenantId: string): string {
  const at = kubeconfig.indexOf('\nusers:')
  const user = /^- name: (.+)$/m.exec(kubeconfig.slice(at))?.[1]
  if (at < 0 || user === undefined) throw new Error('A kubeconfig without users cannot be given another one')
  const args = [
    'get-token',
    '--environment',
    'AzurePublicCloud',
    '--server-id',
    aksServerId,
    '--client-id',
    CLIENT_ID,
    '--tenant-id',
    tenantId,
    '--login',
    'devicecode',
  ]
  const lines = [
    'users:',
    `- name: ${user}`,
    '  user:',
    '    exec:',
    '      apiVersion: client.authentication.k8s.io/v1beta1',
    '      args:',
    ...args.map((arg) => `      - ${arg}`),
    '      command: kubelogin',
    '      env: null',
    '      provideClusterInfo: false',
  ]
  return `${kubeconfig.slice(0, at)}\n${lines.join('\n')}\n`
}
