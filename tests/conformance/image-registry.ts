// A registry on a real node, for tests that must pull: it speaks the part of the distribution API that a pull needs, at
// the node's own 127.0.0.1, where containerd asks over plain HTTP.

import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { extract } from 'tar-stream'
import { text } from '@aksel/node/images/layers'
import { ociArchive } from '@aksel/node/images/oci-archive'
import { architectureOf } from '@aksel/node/images/builder'
import { agnhost } from './cluster.ts'
import type { Pods } from './pods.ts'

export interface NodeRegistry extends AsyncDisposable {
  /** `localhost:PORT/kitten:1.8`. */
  readonly image: string
}

const server = `
const { createServer } = require('node:http'), { existsSync, readFileSync } = require('node:fs')
const [port] = process.argv.slice(1)
createServer((request, response) => {
  const [, kind, name] = /^\\/v2\\/.+\\/(manifests|blobs)\\/([^/]+)$/.exec(request.url) ?? []
  if (request.url === '/v2/') return response.end('{}')
  const manifest = JSON.parse(readFileSync('/layout/index.json', 'utf8')).manifests[0]
  const digest = name?.startsWith('sha256:') ? name : name === '1.8' && kind === 'manifests' ? manifest.digest : 'none'
  const path = '/layout/blobs/' + digest.replace(':', '/')
  if (!existsSync(path)) return response.writeHead(404).end()
  const bytes = readFileSync(path)
  const type = kind === 'manifests' ? manifest.mediaType : 'application/octet-stream'
  response.writeHead(200, { 'content-type': type, 'content-length': bytes.length, 'docker-content-digest': digest })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}).listen(Number(port), '127.0.0.1')
`

/** Resolves when it answers. Its one image holds a page with a picture's name and a file that names its system. */
export async function registryOnNode(pods: Pods, name: string, port: number): Promise<NodeRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'aksel-registry-'))
  const { bytes } = await ociArchive({
    references: [`localhost:${port}/kitten:1.8`],
    architecture: architectureOf(process.arch),
    layers: [[text('data.json', '{"image": "kitten.jpg"}\n')], [text('etc/os-release', 'NAME="Aksel kitten"\n')]],
    config: {},
  })
  await unpack(bytes, folder)
  await pods.create(name, {
    hostNetwork: true,
    containers: [
      {
        name: 'registry',
        image: agnhost,
        command: ['/usr/bin/node', '-e', server, String(port)],
        volumeMounts: [{ name: 'layout', mountPath: '/layout', readOnly: true }],
        readinessProbe: { httpGet: { host: '127.0.0.1', path: '/v2/', port }, periodSeconds: 1 },
      },
    ],
    volumes: [{ name: 'layout', hostPath: { path: folder, type: 'Directory' } }],
  })
  await pods.ready(name)
  return {
    image: `localhost:${port}/kitten:1.8`,
    async [Symbol.asyncDispose]() {
      await pods.delete(name)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function unpack(archive: Buffer, folder: string): Promise<void> {
  const reader = extract()
  reader.end(archive)
  for await (const entry of reader) {
    const chunks: Uint8Array[] = []
    for await (const chunk of entry) chunks.push(chunk as Uint8Array)
    if (entry.header.type !== 'file') continue
    const path = join(folder, entry.header.name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, Buffer.concat(chunks))
  }
}
