// Devices by name: what their files say is what a container gets.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cdiGrants } from './cdi.ts'

test('cdiGrants() reads JSON and YAML, adds what all devices of a kind share once, and refuses hooks and unknown names', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aksel-cdi-'))
  try {
    await writeFile(
      join(folder, 'vendor.yaml'),
      [
        'cdiVersion: 0.6.0',
        'kind: vendor.com/gpu',
        'containerEdits: { env: [SHARED=1=2] }',
        'devices:',
        '- name: "0"',
        '  containerEdits:',
        '    deviceNodes: [{ path: /dev/gpu0, hostPath: /dev/null }]',
        '    mounts: [{ hostPath: /lib/a, containerPath: /lib/b, options: [ro, bind] }]',
        '- { name: "1", containerEdits: { env: [ONE=1] } }',
      ].join('\n'),
    )
    const hooked = { kind: 'vendor.com/odd', devices: [{ name: 'x', containerEdits: { hooks: [{}] } }] }
    await writeFile(join(folder, 'odd.json'), JSON.stringify(hooked))
    const none = { envs: {}, mounts: [], devices: [], annotations: {}, cdiDevices: [] }
    assert.deepEqual(await cdiGrants(['/nowhere', folder], ['vendor.com/gpu=0', 'vendor.com/gpu=1']), [
      { ...none, envs: { SHARED: '1=2' } },
      {
        ...none,
        devices: [{ containerPath: '/dev/gpu0', hostPath: '/dev/null', permissions: 'rwm' }],
        mounts: [{ hostPath: '/lib/a', containerPath: '/lib/b', readOnly: true }],
      },
      { ...none, envs: { ONE: '1' } },
    ])
    await assert.rejects(cdiGrants([folder], ['vendor.com/gpu=9']), {
      message: 'unresolvable CDI devices vendor.com/gpu=9',
    })
    await assert.rejects(cdiGrants([folder], ['vendor.com/odd=x']), /wants hooks, which this node does not run/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
