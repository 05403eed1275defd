// emptyDir volumes in real containers: modes, owners and media.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Volume } from '@kubernetes/client-node'
import { busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { fresh, podsIn, type Pods } from '../pods.ts'
import { readVolume } from './volume-pods.ts'

const deadline = { timeout: 120_000 }

void suite('emptyDir volumes', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'emptydir')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const volume = (medium: 'default' | 'tmpfs'): V1Volume => ({
    name: 'scratch',
    emptyDir: medium === 'tmpfs' ? { medium: 'Memory' } : {},
  })

  /** A new file keeps the mode it was made with, and its content can be read back. */
  const keeps = async (
    user: 'root' | 'non-root',
    mode: '0644' | '0666' | '0777',
    medium: 'default' | 'tmpfs',
  ): Promise<void> => {
    const path = '/etc/scratch/test-file'
    const letters = { '0644': '-rw-r--r--', '0666': '-rw-rw-rw-', '0777': '-rwxrwxrwx' }[mode]
    await readVolume(
      pods,
      {
        volumes: [volume(medium)],
        flags: [
          '--fs_type=/etc/scratch',
          `--new_file_${mode}=${path}`,
          `--file_perm=${path}`,
          `--file_content=${path}`,
        ],
        ...(user === 'root' ? {} : { security: { runAsUser: 1001 } }),
      },
      `perms of file "${path}": ${letters}`,
      `content of file "${path}": mount-tester new file`,
      ...(medium === 'tmpfs' ? ['mount type of "/etc/scratch": tmpfs'] : []),
    )
  }

  const hasMode = (medium: 'default' | 'tmpfs'): Promise<void> =>
    readVolume(
      pods,
      { volumes: [volume(medium)], flags: ['--fs_type=/etc/scratch', '--file_perm=/etc/scratch'] },
      'perms of file "/etc/scratch": -rwxrwxrwx',
      ...(medium === 'tmpfs' ? ['mount type of "/etc/scratch": tmpfs'] : []),
    )

  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0644,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0644', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0644', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0666,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0666', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0666', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0777', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (non-root,0777,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('non-root', '0777', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0644,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0644', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0644', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0666,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0666', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0666', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0777', 'default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes should support (root,0777,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => keeps('root', '0777', 'tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes volume on default medium should have the correct mode [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => hasMode('default'),
  )
  void test(
    '[sig-storage] EmptyDir volumes volume on tmpfs should have the correct mode [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    () => hasMode('tmpfs'),
  )
  void test(
    '[sig-storage] EmptyDir volumes pod should support shared volumes between containers [Conformance]',
    deadline,
    async () => {
      const name = fresh('pod-shared')
      const mount = { name: 'scratch', mountPath: '/usr/share/volumeshare' }
      const message = 'Hello from the busy-box sub-container'
      await pods.create(name, {
        containers: [
          { name: 'main', image: busybox, command: ['sleep', '3600'], volumeMounts: [mount] },
          {
            name: 'sub',
            image: busybox,
            command: ['sh', '-c', `echo '${message}' > /usr/share/volumeshare/shareddata.txt && sleep 3600`],
            volumeMounts: [mount],
          },
        ],
        volumes: [volume('default')],
      })
      await pods.ready(name)
      const read = [
        'sh',
        '-c',
        'until [ -s /usr/share/volumeshare/shareddata.txt ]; do :; done; cat /usr/share/volumeshare/shareddata.txt',
      ]
      assert.equal((await pods.exec(name, read, 'main')).trim(), message)
      await pods.delete(name)
    },
  )
})
