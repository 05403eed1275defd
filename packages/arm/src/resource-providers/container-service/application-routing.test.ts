// `ingressProfile`: what is refused, and when the add-on is put in place.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrontDoor, subscriptionId } from '../../testing/opened-front-door.ts'
import { applicationRoutingOf, judgeApplicationRouting } from './application-routing.ts'
import type { ClusterProperties } from '../../records.ts'

const with_ = (ingressProfile: unknown): ClusterProperties => ({ ingressProfile }) as unknown as ClusterProperties
const istio = (mode: string) => ({ gatewayAPIImplementations: { appRoutingIstio: { mode } } })

test('Gateway API by application routing needs the managed definitions, and modes are Azure’s', () => {
  assert.throws(
    () => judgeApplicationRouting(with_({ webAppRouting: istio('On') })),
    /'On' is not one of the allowed values: Enabled, Disabled/,
  )
  assert.throws(
    () => judgeApplicationRouting(with_({ webAppRouting: istio('Enabled') })),
    /set ingressProfile\.gatewayAPI\.installation to Standard/,
  )
  assert.throws(
    () => judgeApplicationRouting(with_({ gatewayAPI: { installation: 'Experimental' } })),
    /'Experimental' is not one of/,
  )
  assert.deepEqual(applicationRoutingOf(with_({ webAppRouting: { enabled: true } })), {
    ingress: true,
    gatewayDefinitions: false,
    gatewayClass: false,
  })
  assert.equal(applicationRoutingOf(with_(undefined)), undefined)
})

test('the add-on is put in place when a cluster asks for it, once, and taken away when it does no longer', async () => {
  const wishes: unknown[] = []
  await using opened = await openFrontDoor({
    applicationRouting: async (_scope, { wish }) => void wishes.push(wish.ingress),
  })
  const group = `/subscriptions/${subscriptionId}/resourcegroups/rg`
  const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const put = async (more: object): Promise<void> => {
    const pool = { name: 'system', mode: 'System', count: 1 }
    const body = { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: [pool], ...more } }
    const answer = await opened.call('PUT', cluster, { body })
    assert.ok(answer.status < 300, answer.text)
    await opened.door.idle()
  }
  await put({})
  assert.deepEqual(wishes, [])
  await put({ ingressProfile: { webAppRouting: { enabled: true } } })
  await put({ ingressProfile: { webAppRouting: { enabled: true } } })
  assert.deepEqual(wishes, [true])
  await put({ ingressProfile: { webAppRouting: { enabled: false } } })
  assert.deepEqual(wishes, [true, false])
})
