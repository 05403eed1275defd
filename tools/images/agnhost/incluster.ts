// `inclusterclient`: calls the API with its mounted token again and again, reading the token anew each time.

import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import type { Flags } from './flags.ts'

const folder = '/var/run/secrets/kubernetes.io/serviceaccount'

export async function inClusterClient(flags: Flags): Promise<void> {
  const intervalMs = flags.number('poll-interval', 30) * 1000
  for (;;) {
    process.stdout.write('calling /healthz\n')
    const token = readFileSync(`${folder}/token`, 'utf8')
    process.stdout.write(`authz_header=${token.slice(-10)}\n`)
    const { status, text } = await getFromCluster('/healthz', token)
    if (status !== 200) process.stdout.write(`status=failed\nerr=${status} ${text}\n`)
    else process.stdout.write('status=ok\n')
    await new Promise((resolve) => setTimeout(resolve, intervalMs))
  }
}

/** From the API server, as a pod finds it. */
export function getFromCluster(
  path: string,
  token: string,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: process.env['KUBERNETES_SERVICE_HOST'],
        port: process.env['KUBERNETES_SERVICE_PORT'],
        path,
        ca: readFileSync(`${folder}/ca.crt`),
        headers: { authorization: `Bearer ${token}` },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
      },
    )
    call.on('error', reject)
    call.end()
  })
}
