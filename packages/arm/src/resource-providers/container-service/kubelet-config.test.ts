// What a pool may ask of its nodes' kubelets, and what they are told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeKubeletConfig, kubeletOf } from './kubelet-config.ts'

test('kubeletOf() tells the nodes in the words of a KubeletConfiguration', () => {
  const asked = { cpuManagerPolicy: 'static', imageGcHighThreshold: 70, imageGcLowThreshold: 60, podMaxPids: 100 }
  const more = { cpuCfsQuota: false, cpuCfsQuotaPeriod: '50ms', allowedUnsafeSysctls: ['net.core.somaxconn'] }
  assert.deepEqual(
    kubeletOf({ ...asked, containerLogMaxSizeMB: 20, containerLogMaxFiles: 3, ...more, failSwapOn: true }),
    {
      cpuManagerPolicy: 'static',
      imageGCHighThresholdPercent: 70,
      imageGCLowThresholdPercent: 60,
      podPidsLimit: 100,
      containerLogMaxSize: '20M',
      containerLogMaxFiles: 3,
      cpuCFSQuota: false,
      cpuCFSQuotaPeriod: '50ms',
      allowedUnsafeSysctls: ['net.core.somaxconn'],
    },
  )
  assert.deepEqual([kubeletOf(undefined), kubeletOf({})], [undefined, undefined])
})

test('judgeKubeletConfig() refuses what AKS refuses, by field', () => {
  const refused = (field: string, value: object): void =>
    assert.throws(() => judgeKubeletConfig(value), new RegExp(`kubeletConfig\\.${field} `))
  refused('cpuManagerPolicy', { cpuManagerPolicy: 'dynamic' })
  refused('topologyManagerPolicy', { topologyManagerPolicy: 'all' })
  refused('containerLogMaxFiles', { containerLogMaxFiles: 1 })
  refused('imageGcHighThreshold', { imageGcHighThreshold: 101 })
  refused('imageGcLowThreshold', { imageGcHighThreshold: 70, imageGcLowThreshold: 70 })
  refused('imageGcLowThreshold', { imageGcHighThreshold: 75 })
  for (const period of ['2s', '0s', 'soon']) refused('cpuCfsQuotaPeriod', { cpuCfsQuotaPeriod: period })
  for (const name of ['vm.swappiness', '*', 'kernel.*', 'kernel.semaphore', '']) {
    refused('allowedUnsafeSysctls', { allowedUnsafeSysctls: ['net.core.somaxconn', name] })
  }
  judgeKubeletConfig({ cpuCfsQuotaPeriod: '200ms', allowedUnsafeSysctls: ['kernel.msg*', 'kernel.sem', 'net.*'] })
  judgeKubeletConfig({ cpuManagerPolicy: 'static', imageGcHighThreshold: 70, imageGcLowThreshold: 60 })
})
