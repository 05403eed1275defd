// A control plane for benchmarks: a durable store on this machine's disk, the API server with audit, no TLS. Whoever measures
// calls it in process, as a user with no more rights than it needs.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { namespaces, roleBindings, serviceAccounts } from '@aksel/api/resources'
import { createApiServer, type ApiServer } from '@aksel/apiserver/server'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'
import { createClient } from '@aksel/client/typed-client'
import { createAuthority, createServiceAccountKey } from '@aksel/runtime/pki'
import { openLogStore } from '@aksel/store/log-store'
import { nodeDisk } from '@aksel/store/node-disk'

export const benchUser = {
  name: 'system:serviceaccount:aksel-bench:bench',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:aksel-bench', 'system:authenticated'],
}

export interface InProcessCluster extends AsyncDisposable {
  readonly server: ApiServer
  /** May do everything, past RBAC: sets the stage, is never measured. */
  readonly admin: Client
  /** What is measured: may do everything in `namespace`, and no more. */
  readonly user: Client
  readonly namespace: string
  client(user: { readonly name: string; readonly groups: readonly string[] }): Client
  /** Entries of the audit log so far. */
  audited(): number
  /** The status that the measured user gets for a request. */
  status(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }>
  /** Whether the store's files hold this text. */
  isStored(text: string): Promise<boolean>
}

export async function openInProcessCluster(scope: Scope): Promise<InProcessCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-bench-'))
  const namespace = 'aksel-bench'
  const store = await openLogStore(scope, { disk: nodeDisk(), directory })
  const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
  let audited = 0
  const server = await createApiServer({
    scope,
    store,
    keyPrefix: 'clusters/bench/',
    kubernetesVersion: '1.35.7',
    serviceCidr: '10.0.0.0/16',
    advertiseAddress: '10.224.0.1',
    advertisePort: 443,
    clientAuthority: authority.certificatePem,
    serviceAccounts: { issuer: 'https://bench', key: await createServiceAccountKey() },
    // The line is made, as for a file; only the file is not there.
    audit: (entry) => {
      audited += JSON.stringify(entry).length > 0 ? 1 : 0
    },
  })
  const client = (user: { readonly name: string; readonly groups: readonly string[] }): Client =>
    createClient(server.transportFor(user))
  const admin = client({ name: 'admin', groups: ['system:masters'] })
  await admin.create(namespaces, { metadata: { name: namespace }, spec: {} })
  await admin.create(serviceAccounts, { metadata: { name: 'default', namespace } })
  await admin.create(roleBindings, {
    metadata: { name: 'bench', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'bench', namespace }],
  })
  return {
    server,
    admin,
    user: client(benchUser),
    namespace,
    client,
    audited: () => audited,
    async status(method, path, body) {
      const answer = await server.transportFor(benchUser).send({
        method,
        path,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
      })
      return { status: answer.status, text: Buffer.from(await readBody(answer.body)).toString() }
    },
    async isStored(text) {
      for (const name of await readdir(directory))
        if ((await readFile(join(directory, name))).includes(text)) return true
      return false
    },
    async [Symbol.asyncDispose]() {
      await server.close()
      await store[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
