// The text that containerd is started with.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderContainerdConfig } from './containerd-config.ts'

const options = {
  rootDirectory: '/m/root',
  stateDirectory: '/m/run',
  socketPath: '/m/c.sock',
  runcRoot: '/m/runc',
  cniConfigDirectory: '/m/cni',
  sandboxImage: 'example.org/pause:3.6',
}

test('renderContainerdConfig() keeps every path that two daemons would share below the machine', () => {
  const text = renderContainerdConfig(options)
  for (const line of ['root = "/m/root"', 'state = "/m/run"', 'address = "/m/c.sock"', 'Root = "/m/runc"']) {
    assert.ok(text.split('\n').includes(line), line)
  }
  assert.match(text, /netns_mounts_under_state_dir = true/)
  assert.match(text, /bin_dir = "\/usr\/lib\/cni"\nconf_dir = "\/m\/cni"/)
  assert.doesNotMatch(text, /registry\]/)
})

test('renderContainerdConfig() names a folder of registry hosts when there is one', () => {
  assert.match(renderContainerdConfig({ ...options, registryDirectory: '/m/hosts' }), /config_path = "\/m\/hosts"/)
})

test('renderContainerdConfig() knows a second runtime only where pods are to be sandboxed', () => {
  assert.doesNotMatch(renderContainerdConfig(options), /runtimes\.kata/)
  const text = renderContainerdConfig({ ...options, sandboxing: { kind: 'gvisor', binaryPath: '/x/runsc.sh' } })
  assert.match(text, /runtimes\.kata\.options\]\nBinaryName = "\/x\/runsc\.sh"\nRoot = "\/m\/runc-sandboxed"/)
  const kata = renderContainerdConfig({ ...options, sandboxing: { kind: 'kata' } })
  assert.match(kata, /runtimes\.kata\]\nruntime_type = "io\.containerd\.kata\.v2"/)
})

test('renderContainerdConfig() refuses a socket path that the kernel would cut', () => {
  assert.throws(() => renderContainerdConfig({ ...options, socketPath: `/${'x'.repeat(120)}` }), /more than 107 bytes/)
})
