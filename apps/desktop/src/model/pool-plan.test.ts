// What is asked of a node pool: the same to az and to Resource Manager, and refused before it is sent.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { addCommand, firstPool, labelsText, poolBody, poolFaults, updateCommand } from './pool-plan.ts'

const place = { group: 'aksel', cluster: 'demo' }
const plan = {
  ...firstPool,
  name: 'batch',
  count: 2,
  labels: 'tier=batch, example.org/owner=ops',
  taints: 'batch=yes:NoSchedule',
}

void suite('the plan of a pool', () => {
  void test('is the same to az and to Resource Manager', () => {
    assert.deepEqual(poolBody(plan), {
      count: 2,
      vmSize: 'Standard_D2s_v5',
      mode: 'User',
      osType: 'Linux',
      type: 'VirtualMachineScaleSets',
      nodeLabels: { tier: 'batch', 'example.org/owner': 'ops' },
      nodeTaints: ['batch=yes:NoSchedule'],
    })
    assert.equal(
      addCommand(place, plan),
      'az aks nodepool add -g aksel --cluster-name demo -n batch --mode User -c 2 -s Standard_D2s_v5 --labels tier=batch example.org/owner=ops --node-taints batch=yes:NoSchedule',
    )
    assert.match(addCommand(place, { ...firstPool, simulated: true }), /-n NAME .*--simulated$/)
    assert.equal(
      updateCommand(place, { name: 'batch', labels: '', taints: '' }),
      "az aks nodepool update -g aksel --cluster-name demo -n batch --labels  --node-taints ''",
    )
    assert.equal(labelsText({ a: 'b', c: 'd' }), 'a=b, c=d')
  })

  void test('is refused field by field', () => {
    assert.deepEqual(poolFaults(plan), {})
    assert.match(poolFaults({ ...plan, name: 'Batch' }).name ?? '', /small letters/)
    assert.match(poolFaults(plan, ['batch']).name ?? '', /There is a pool/)
    assert.match(poolFaults({ ...plan, mode: 'System', count: 0 }).count ?? '', /From 1/)
    assert.equal(poolFaults({ ...plan, count: 0 }).count, undefined)
    assert.match(poolFaults({ ...plan, labels: 'no equals' }).labels ?? '', /key=value/)
    assert.match(poolFaults({ ...plan, taints: 'a=b:Never' }).taints ?? '', /NoSchedule/)
  })
})
