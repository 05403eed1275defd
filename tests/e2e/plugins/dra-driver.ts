// A driver of dynamic resources with two devices: it shows them in a ResourceSlice, describes them in a CDI file when a claim
// is prepared, and takes the file away again. Its claims are told at a socket of the node's plug-in folder.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { register, serve } from './plugin-server.ts'

const driver = 'lamps.example.com'
const nodeName = process.env['NODE_NAME'] ?? ''
const folder = `/var/lib/kubelet/plugins/${driver}`
/** The node's; runtimes look there for files that describe devices. */
const cdi = '/var/run/cdi'

const proto = `
syntax = "proto3";
package k8s.io.kubelet.pkg.apis.dra.v1;
service DRAPlugin {
  rpc NodePrepareResources(NodePrepareResourcesRequest) returns (NodePrepareResourcesResponse) {}
  rpc NodeUnprepareResources(NodeUnprepareResourcesRequest) returns (NodeUnprepareResourcesResponse) {}
}
message NodePrepareResourcesRequest { repeated Claim claims = 1; }
message NodePrepareResourcesResponse { map<string, NodePrepareResourceResponse> claims = 1; }
message NodePrepareResourceResponse { repeated Device devices = 1; string error = 2; }
message Device {
  repeated string request_names = 1; string pool_name = 2; string device_name = 3; repeated string CDI_device_ids = 4;
  optional string share_id = 5;
}
message NodeUnprepareResourcesRequest { repeated Claim claims = 1; }
message NodeUnprepareResourcesResponse { map<string, NodeUnprepareResourceResponse> claims = 1; }
message NodeUnprepareResourceResponse { string error = 1; }
message Claim { string namespace = 1; string UID = 2; string name = 3; }
`

interface Claim {
  readonly namespace: string
  readonly UID: string
  readonly name: string
}

interface Allocated {
  readonly status: {
    readonly allocation: { readonly devices: { readonly results: readonly Result[] } }
  }
}

interface Result {
  readonly request: string
  readonly driver: string
  readonly pool: string
  readonly device: string
}

const account = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The API, as programs in pods reach it. */
function ask<T>(method: string, path: string, body?: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: process.env['KUBERNETES_SERVICE_HOST'],
        port: process.env['KUBERNETES_SERVICE_PORT'],
        method,
        path,
        ca: readFileSync(`${account}/ca.crt`),
        headers: {
          authorization: `Bearer ${readFileSync(`${account}/token`, 'utf8')}`,
          'content-type': 'application/json',
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          if ((response.statusCode ?? 500) >= 300)
            reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`))
          else resolve(JSON.parse(text) as T)
        })
      },
    )
    call.on('error', reject)
    call.end(body === undefined ? '' : JSON.stringify(body))
  })
}

async function prepare({ namespace, name, UID }: Claim): Promise<object> {
  const claim = await ask<Allocated>('GET', `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaims/${name}`)
  const results = claim.status.allocation.devices.results.filter((result) => result.driver === driver)
  const devices = results.map(({ device }) => ({
    name: `${UID}-${device}`,
    containerEdits: {
      env: [`LAMP_${device.toUpperCase()}=${name}`],
      deviceNodes: [{ path: `/dev/lamp-${device}`, hostPath: '/dev/zero', permissions: 'rw' }],
    },
  }))
  writeFileSync(`${cdi}/${UID}.json`, JSON.stringify({ cdiVersion: '0.6.0', kind: 'example.com/lamp', devices }))
  return {
    devices: results.map(({ request: requestName, pool, device }) => ({
      requestNames: [requestName],
      poolName: pool,
      deviceName: device,
      CDIDeviceIds: [`example.com/lamp=${UID}-${device}`],
    })),
  }
}

mkdirSync(folder, { recursive: true })
await serve(`${folder}/dra.sock`, [
  {
    proto,
    service: 'k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin',
    handlers: {
      NodePrepareResources: async ({ claims }: { readonly claims: readonly Claim[] }) => ({
        claims: Object.fromEntries(await Promise.all(claims.map(async (claim) => [claim.UID, await prepare(claim)]))),
      }),
      NodeUnprepareResources: ({ claims }: { readonly claims: readonly Claim[] }) => {
        for (const { UID } of claims) rmSync(`${cdi}/${UID}.json`, { force: true })
        return { claims: Object.fromEntries(claims.map(({ UID }) => [UID, {}])) }
      },
    },
  },
])
await register({
  type: 'DRAPlugin',
  name: driver,
  endpoint: `${folder}/dra.sock`,
  versions: ['v1.DRAPlugin', 'v1beta1.DRAPlugin'],
  // A node that has just started takes away what drivers showed before.
  onRegistered: async () => {
    const slice = {
      apiVersion: 'resource.k8s.io/v1',
      kind: 'ResourceSlice',
      metadata: { generateName: `${nodeName}-lamps-` },
      spec: {
        driver,
        nodeName,
        pool: { name: nodeName, generation: 1, resourceSliceCount: 1 },
        devices: ['left', 'right'].map((name) => ({ name, attributes: { side: { string: name } } })),
      },
    }
    await ask('POST', '/apis/resource.k8s.io/v1/resourceslices', slice)
    console.log('serving')
  },
})
