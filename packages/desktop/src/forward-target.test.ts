// Where a forward leads, on made-up answers of a cluster.

import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { suite, test } from 'node:test'
import { findTarget, readWish } from './forward-target.ts'
import type { Upstream } from './upstream.ts'

function cluster(answers: Readonly<Record<string, unknown>>): Pick<Upstream, 'send'> {
  return {
    send: ({ path }) => {
      const known = answers[path.split('?')[0]!]
      const body = known ?? { message: `"${path}" not found` }
      return Promise.resolve(
        Object.assign(Readable.from([Buffer.from(JSON.stringify(body))]), {
          statusCode: known === undefined ? 404 : 200,
        }) as unknown as Awaited<ReturnType<Upstream['send']>>,
      )
    },
  }
}

const service = '/api/v1/namespaces/shop/services/web'
const slices = '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices'
const wish = { namespace: 'shop', kind: 'Service', name: 'web', port: 80 } as const

void suite('a port-forward', () => {
  void test('of a service leads to a ready pod, and to the port that its name has there', async () => {
    const endpoint = (name: string, ready: boolean): object => ({
      conditions: { ready },
      targetRef: { kind: 'Pod', name },
    })
    const answers = {
      [service]: {
        spec: {
          ports: [
            { name: 'admin', port: 81 },
            { name: 'http', port: 80 },
          ],
        },
      },
      [slices]: {
        items: [
          {
            ports: [
              { name: 'admin', port: 9000 },
              { name: 'http', port: 8080 },
            ],
            endpoints: [endpoint('web-1', false), endpoint('web-2', true)],
          },
        ],
      },
    }
    assert.deepEqual(await findTarget(cluster(answers), wish), { namespace: 'shop', pod: 'web-2', port: 8080 })
    await assert.rejects(findTarget(cluster(answers), { ...wish, port: 82 }), /has no port 82/)
    const nobody = { ...answers, [slices]: { items: [] } }
    await assert.rejects(findTarget(cluster(nobody), wish), /no pod that is ready/)
    await assert.rejects(findTarget(cluster({}), wish), /not found/)
  })

  void test('is refused where what is asked for is no pod, no service or no port', () => {
    assert.deepEqual(readWish({ ...wish, localPort: 9000 }), { ...wish, localPort: 9000 })
    assert.throws(() => readWish({ ...wish, kind: 'Secret' }), /Only ports of pods and services/)
    assert.throws(() => readWish({ ...wish, name: '../x' }), /Which service/)
    assert.throws(() => readWish({ ...wish, port: 0 }), /1 to 65535/)
    assert.throws(() => readWish({ ...wish, localPort: 70_000 }), /local port/)
    assert.throws(() => readWish({}), /Which namespace/)
  })
})
