// What a command is run with inside its cluster: a pod with kubectl and helm, an account that may everything and lives no longer
// than the pod, and a secret with the command and its files.

import { clusterRoleBindings, namespaces, pods, secrets, serviceAccounts } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import type { CommandRuntime } from '../../hub.ts'

export const commandNamespace = 'aks-command'

export interface CommandWish {
  readonly command: string
  /** Base64 of a zip archive that is unpacked where the command runs. */
  readonly context?: string
  /** Whose rights it has, where it is not to have those of an administrator. */
  readonly token?: string
}

/** As on AKS. */
const resources = { requests: { cpu: '200m', memory: '500Mi' }, limits: { cpu: '500m', memory: '1Gi' } }

const start = `cd /command-files || exit 1
if [ -s /command/context.zip ]; then unzip -q /command/context.zip || exit 1; fi
exec sh /command/command`

const account = '/var/run/secrets/kubernetes.io/serviceaccount'

export function podNameOf(commandId: string): string {
  return `command-${commandId}`
}

/** Idempotent; the pod comes last. */
export async function createCommand(
  client: Client,
  commandId: string,
  wish: CommandWish,
  runtime: CommandRuntime,
): Promise<void> {
  const name = podNameOf(commandId)
  const labels = { 'kubernetes.azure.com/managedby': 'aks' }
  const metadata = { name, namespace: commandNamespace, labels }
  await made(client.create(namespaces, { metadata: { name: commandNamespace, labels }, spec: {} }))
  await made(client.create(serviceAccounts, { metadata }))
  await made(
    client.create(clusterRoleBindings, {
      metadata: { name: `aks-${name}`, labels },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name, namespace: commandNamespace }],
    }),
  )
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const data = {
    command: base64(wish.command),
    kubeconfig: base64(kubeconfigOf(wish.token)),
    ...(wish.context === undefined ? {} : { 'context.zip': wish.context }),
  }
  await made(client.create(secrets, { metadata, type: 'Opaque', data }))
  await made(client.create(pods, commandPod(metadata, runtime)))
}

/** Everything of a command but its result. Idempotent. */
export async function removeCommand(client: Client, commandId: string): Promise<void> {
  const name = podNameOf(commandId)
  const ref = { name, namespace: commandNamespace }
  const gone = (deleting: Promise<unknown>): Promise<unknown> => ignoreReason('NotFound', deleting)
  await gone(client.delete(clusterRoleBindings, { name: `aks-${name}` }))
  await gone(client.delete(pods, ref, { gracePeriodSeconds: 0 }))
  await gone(client.delete(secrets, ref))
  await gone(client.delete(serviceAccounts, ref))
}

async function made(creating: Promise<unknown>): Promise<void> {
  await creating.catch((error: unknown) => {
    if (!isReason(error, 'AlreadyExists')) throw error
  })
}

function commandPod(metadata: { readonly name: string; readonly namespace: string }, runtime: CommandRuntime): Pod {
  const tools = runtime.tools.map(({ name, path }) => ({ volume: `tool-${name}`, name, path }))
  return {
    metadata,
    spec: {
      restartPolicy: 'Never',
      serviceAccountName: metadata.name,
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ key: 'CriticalAddonsOnly', operator: 'Exists' }],
      // Nothing runs on a simulated node.
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'aksel.dev/simulated', operator: 'DoesNotExist' }] }],
          },
        },
      },
      containers: [
        {
          name: 'command',
          image: runtime.image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', start],
          env: [
            { name: 'KUBECONFIG', value: '/command/kubeconfig' },
            { name: 'HOME', value: '/tmp' },
          ],
          resources,
          volumeMounts: [
            { name: 'command', mountPath: '/command', readOnly: true },
            { name: 'files', mountPath: '/command-files' },
            ...tools.map(({ volume, name }) => ({ name: volume, mountPath: `/usr/local/bin/${name}`, readOnly: true })),
          ],
        },
      ],
      volumes: [
        { name: 'command', secret: { secretName: metadata.name } },
        { name: 'files', emptyDir: {} },
        ...tools.map(({ volume, path }) => ({ name: volume, hostPath: { path, type: 'File' } })),
      ],
    },
  }
}

/** Read by kubectl and helm; without it they would work in the pod's own namespace. */
function kubeconfigOf(token: string | undefined): string {
  const user = token === undefined ? { tokenFile: `${account}/token` } : { token }
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'c',
        cluster: { server: 'https://kubernetes.default.svc', 'certificate-authority': `${account}/ca.crt` },
      },
    ],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'default' } }],
    'current-context': 'c',
  })
}
