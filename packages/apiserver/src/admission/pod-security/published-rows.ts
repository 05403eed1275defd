// What each check of the Pod Security standards lets pass and refuses in the pods that their makers publish with a verdict:
// what differs from a pod that passes, by the version from which it is published.

export type Json = Readonly<Record<string, unknown>>

/** Values by place: `spec.…`, `pod.…` (its security context), `main.…` and `init.…` (the containers), `note.KEY` (an annotation). null removes. */
export type Change = Readonly<Record<string, unknown>>

export interface PublishedRow {
  readonly check: string
  readonly level: 'baseline' | 'restricted'
  /** The first minor that has them; the newest that is not newer than the asked one counts. */
  readonly from: number
  readonly words: string
  /** Objects that are there, empty if need be, before anything is changed. */
  readonly blank?: readonly string[]
  readonly pass?: readonly Change[]
  readonly fail: readonly Change[]
  /** How many of `pass` hold for restricted pods of this minor; all where it is not said. */
  readonly passRestricted?: (minor: number) => number
}

export const contexts = ['pod', 'main.securityContext', 'init.securityContext']
const below = (name: string): readonly string[] => [...contexts, ...contexts.map((place) => `${place}.${name}`)]
const capabilities = [...contexts, ...contexts.slice(1).map((place) => `${place}.capabilities`)]
const added = 'securityContext.capabilities.add'
const dropped = 'securityContext.capabilities.drop'
const defaultCapabilities =
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  )
/** One by one, which is not ALL. */
const namedCapabilities =
  'SYS_TIME SYS_MODULE SYS_RAWIO SYS_PACCT SYS_ADMIN SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD AUDIT_WRITE AUDIT_CONTROL MAC_OVERRIDE MAC_ADMIN NET_ADMIN SYSLOG CHOWN NET_RAW DAC_OVERRIDE FOWNER DAC_READ_SEARCH FSETID KILL SETGID SETUID LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST IPC_LOCK IPC_OWNER SYS_CHROOT SYS_PTRACE SYS_BOOT LEASE SETFCAP WAKE_ALARM BLOCK_SUSPEND'.split(
    ' ',
  )

export function inBoth(place: string, value: unknown): Change {
  return { [`main.${place}`]: value, [`init.${place}`]: value }
}

function volumes(...sources: readonly Json[]): Change {
  return { 'spec.volumes': sources.map((source, index) => ({ name: `volume${index}`, ...source })) }
}

function port(containerPort: number, isOfHost: boolean): Json {
  return isOfHost ? { containerPort, hostPort: containerPort } : { containerPort }
}

function sysctls(values: Readonly<Record<string, string>>): Change {
  return { 'pod.sysctls': Object.entries(values).map(([name, value]) => ({ name, value })) }
}

const unconfined = { type: 'Unconfined' }
export const runtimeDefault = { type: 'RuntimeDefault' }
const localhost = { type: 'Localhost', localhostProfile: 'testing' }
const seccompNote = 'note.seccomp.security.alpha.kubernetes.io/pod'
const seccompNoteOf = (container: string): string => `note.container.seccomp.security.alpha.kubernetes.io/${container}`
const appArmorNoteOf = (container: string): string => `note.container.apparmor.security.beta.kubernetes.io/${container}`
const type = 'seLinuxOptions.type'
const level = 'seLinuxOptions.level'
const unmasked = { 'spec.hostUsers': false }

const sysctls0 = {
  'kernel.shm_rmid_forced': '0',
  'net.ipv4.ip_local_port_range': '1024 65535',
  'net.ipv4.tcp_syncookies': '0',
  'net.ipv4.ping_group_range': '1 0',
  'net.ipv4.ip_unprivileged_port_start': '1024',
}
const sysctls27 = { ...sysctls0, 'net.ipv4.ip_local_reserved_ports': '1024-4999' }
const sysctls29 = {
  ...sysctls27,
  'net.ipv4.tcp_keepalive_time': '7200',
  'net.ipv4.tcp_fin_timeout': '60',
  'net.ipv4.tcp_keepalive_intvl': '75',
  'net.ipv4.tcp_keepalive_probes': '9',
}
const sysctls32 = { 'net.ipv4.tcp_rmem': '4096 87380 16777216', 'net.ipv4.tcp_wmem': '4096 65536 16777216' }

function sysctlRows(from: number, allowed: Readonly<Record<string, string>>): PublishedRow {
  return {
    check: 'sysctls',
    level: 'baseline',
    from,
    words: 'forbidden sysctl',
    blank: ['pod'],
    pass: [{ 'pod.sysctls': null }, sysctls(allowed)],
    fail: [sysctls({ othersysctl: 'other' })],
  }
}

const procMount = 'securityContext.procMount'
const masked = { ...inBoth(procMount, 'Default'), 'spec.hostUsers': false }

export const publishedRows: readonly PublishedRow[] = [
  {
    check: 'allowPrivilegeEscalation',
    level: 'restricted',
    from: 8,
    words: 'allowPrivilegeEscalation',
    fail: [
      { 'main.securityContext.allowPrivilegeEscalation': true },
      { 'init.securityContext.allowPrivilegeEscalation': true },
      { 'main.securityContext.allowPrivilegeEscalation': null },
      { 'main.securityContext': null },
    ],
  },
  {
    check: 'appArmorProfile',
    level: 'baseline',
    from: 0,
    words: 'forbidden AppArmor profile',
    pass: [{ [appArmorNoteOf('container1')]: 'localhost/foo' }],
    fail: [{ [appArmorNoteOf('container1')]: 'unconfined' }, { [appArmorNoteOf('initcontainer1')]: 'unconfined' }],
  },
  {
    check: 'capabilities_baseline',
    level: 'baseline',
    from: 0,
    words: 'capabilities',
    blank: capabilities,
    pass: [inBoth(added, defaultCapabilities)],
    passRestricted: (minor) => (minor < 22 ? 1 : 0),
    fail: [
      { [`main.${added}`]: ['NET_RAW'] },
      { [`init.${added}`]: ['NET_RAW'] },
      { [`main.${added}`]: ['chown'] },
      { [`main.${added}`]: ['CAP_CHOWN'] },
    ],
  },
  {
    check: 'capabilities_restricted',
    level: 'restricted',
    from: 22,
    words: 'unrestricted capabilities',
    blank: capabilities,
    pass: [{ ...inBoth(dropped, ['ALL']), ...inBoth(added, ['NET_BIND_SERVICE']) }],
    fail: [
      { [`main.${dropped}`]: null },
      { [`init.${dropped}`]: null },
      inBoth(dropped, namedCapabilities),
      { ...inBoth(dropped, ['ALL']), ...inBoth(added, defaultCapabilities) },
    ],
  },
  {
    check: 'hostNamespaces',
    level: 'baseline',
    from: 0,
    words: 'host namespaces',
    fail: [{ 'spec.hostIPC': true }, { 'spec.hostNetwork': true }, { 'spec.hostPID': true }],
  },
  {
    check: 'hostPathVolumes',
    level: 'baseline',
    from: 0,
    words: 'hostPath',
    fail: [
      volumes({ name: 'volume-emptydir', emptyDir: {} }, { name: 'volume-hostpath', hostPath: { path: '/a' } }),
      volumes(
        { name: 'volume-hostpath-a', hostPath: { path: '/a' } },
        { name: 'volume-hostpath-b', hostPath: { path: '/b' } },
      ),
    ],
  },
  {
    check: 'hostPorts',
    level: 'baseline',
    from: 0,
    words: 'hostPort',
    pass: [{ 'main.ports': [port(12345, false)], 'init.ports': [port(12346, false)] }],
    fail: [
      { 'main.ports': [port(12345, true)] },
      { 'init.ports': [port(12346, true)] },
      { 'main.ports': [port(12345, true), port(12347, false)], 'init.ports': [port(12346, true), port(12348, false)] },
    ],
  },
  {
    check: 'hostProbesAndHostLifecycle',
    level: 'baseline',
    from: 34,
    words: 'probe or lifecycle host',
    pass: [
      {},
      { 'main.livenessProbe': { httpGet: { port: 8080 } } },
      { 'main.readinessProbe': { tcpSocket: { port: 8080 } } },
    ],
    fail: [
      { 'main.livenessProbe': { httpGet: { host: 'bad.host', port: 8080 } } },
      {
        'init.restartPolicy': 'Always',
        'init.readinessProbe': { tcpSocket: { host: '8.8.8.8', port: 8080 } },
      },
      { 'main.lifecycle': { postStart: { httpGet: { host: 'bad.host', port: 8080 } } } },
      { 'main.livenessProbe': { httpGet: { host: '127.0.0.1', port: 8080 } } },
      { 'main.readinessProbe': { tcpSocket: { host: '::1', port: 8080 } } },
    ],
  },
  {
    check: 'privileged',
    level: 'baseline',
    from: 0,
    words: 'privileged',
    blank: contexts,
    pass: [inBoth('securityContext.privileged', false)],
    fail: ['main', 'init'].map((container) => ({
      [`${container}.securityContext.privileged`]: true,
      [`${container}.securityContext.allowPrivilegeEscalation`]: null,
    })),
  },
  {
    check: 'procMount',
    level: 'baseline',
    from: 0,
    words: 'procMount',
    blank: contexts,
    pass: [masked],
    fail: [
      { [`main.${procMount}`]: 'Unmasked', ...unmasked },
      { [`init.${procMount}`]: 'Unmasked', ...unmasked },
    ],
  },
  {
    check: 'procMount',
    level: 'baseline',
    from: 35,
    words: 'procMount',
    blank: contexts,
    pass: [masked, { ...inBoth(procMount, 'Unmasked'), ...unmasked }],
    passRestricted: () => 1,
    fail: [
      { [`main.${procMount}`]: 'Unmasked', 'spec.hostUsers': true },
      { [`init.${procMount}`]: 'Unmasked', 'spec.hostUsers': true },
    ],
  },
  {
    check: 'procMount_restricted',
    level: 'restricted',
    from: 35,
    words: 'procMount',
    blank: contexts,
    pass: [masked],
    fail: [
      { [`main.${procMount}`]: 'Unmasked', ...unmasked },
      { [`init.${procMount}`]: 'Unmasked', ...unmasked },
    ],
  },
  {
    check: 'restrictedVolumes',
    level: 'restricted',
    from: 0,
    words: 'restricted volume types',
    // The first has no source: the server makes it an empty folder before it is judged.
    pass: [
      volumes(
        {},
        { emptyDir: {} },
        { secret: { secretName: 'test' } },
        { persistentVolumeClaim: { claimName: 'test' } },
        { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
        { configMap: { name: 'test' } },
        { projected: { sources: [] } },
      ),
    ],
    fail: (
      [
        { gcePersistentDisk: { pdName: 'test' } },
        { awsElasticBlockStore: { volumeID: 'test' } },
        { gitRepo: { repository: 'github.com/kubernetes/kubernetes' } },
        { nfs: { server: 'test', path: '/test' } },
        { iscsi: { targetPortal: 'test', iqn: 'iqn.2001-04.com.example:storage.kube.sys1.xyz', lun: 0 } },
        { glusterfs: { path: 'test', endpoints: 'test' } },
        { rbd: { monitors: ['test'], image: 'test' } },
        { flexVolume: { driver: 'test' } },
        { cinder: { volumeID: 'test' } },
        { cephfs: { monitors: ['test'] } },
        { flocker: { datasetName: 'test' } },
        { fc: { wwids: ['test'] } },
        { azureFile: { secretName: 'test', shareName: 'test' } },
        { vsphereVolume: { volumePath: 'test' } },
        { quobyte: { registry: 'localhost:1234', volume: 'test' } },
        { azureDisk: { diskName: 'test', diskURI: 'https://test.blob.core.windows.net/test/test.vhd' } },
        { portworxVolume: { volumeID: 'test', fsType: 'ext4' } },
        { scaleIO: { gateway: 'localhost', system: 'test', volumeName: 'test', secretRef: null } },
        { storageos: { volumeName: 'test' } },
        { hostPath: { path: '/dev/null' } },
      ] as readonly Json[]
    ).map((source) => volumes({ name: 'volume1', ...source })),
  },
  {
    check: 'runAsNonRoot',
    level: 'restricted',
    from: 0,
    words: 'runAsNonRoot',
    blank: contexts,
    pass: [{ 'pod.runAsNonRoot': true }, { 'pod.runAsNonRoot': null, ...inBoth('securityContext.runAsNonRoot', true) }],
    fail: [
      { 'pod.runAsNonRoot': null },
      { 'pod.runAsNonRoot': false },
      { 'main.securityContext.runAsNonRoot': false },
      { 'init.securityContext.runAsNonRoot': false },
    ],
  },
  {
    check: 'runAsUser',
    level: 'restricted',
    from: 23,
    words: 'runAsUser',
    blank: contexts,
    pass: [{ 'pod.runAsUser': 1000, ...inBoth('securityContext.runAsUser', 1000) }],
    fail: contexts.map((place) => ({ [`${place}.runAsUser`]: 0 })),
  },
  {
    check: 'seLinuxOptions',
    level: 'baseline',
    from: 0,
    words: 'seLinuxOptions',
    blank: below('seLinuxOptions'),
    pass: [
      { 'pod.seLinuxOptions': null, 'main.securityContext.seLinuxOptions': null },
      {
        [`pod.${type}`]: 'container_t',
        [`main.securityContext.${type}`]: 'container_init_t',
        [`init.securityContext.${type}`]: 'container_kvm_t',
        [`main.securityContext.${level}`]: 'somevalue',
      },
    ],
    fail: [
      ...contexts.map((place) => ({ [`${place}.${type}`]: 'somevalue' })),
      { 'pod.seLinuxOptions.user': 'somevalue' },
      { 'pod.seLinuxOptions.role': 'somevalue' },
    ],
  },
  {
    check: 'seccompProfile_baseline',
    level: 'baseline',
    from: 0,
    words: 'seccompProfile',
    pass: [{ [seccompNote]: 'runtime/default', [seccompNoteOf('container1')]: 'localhost/testing' }],
    fail: [seccompNote, seccompNoteOf('container1'), seccompNoteOf('initcontainer1')].map((note) => ({
      [note]: 'unconfined',
    })),
  },
  {
    check: 'seccompProfile_baseline',
    level: 'baseline',
    from: 19,
    words: 'seccompProfile',
    blank: contexts,
    pass: [{ 'pod.seccompProfile': runtimeDefault, 'main.securityContext.seccompProfile': runtimeDefault }],
    passRestricted: () => 0,
    fail: contexts.map((place) => ({ [`${place}.seccompProfile`]: unconfined })),
  },
  {
    check: 'seccompProfile_restricted',
    level: 'restricted',
    from: 19,
    words: 'seccompProfile',
    blank: contexts,
    pass: [
      { 'pod.seccompProfile': runtimeDefault },
      { 'pod.seccompProfile': localhost },
      {
        'pod.seccompProfile': null,
        'main.securityContext.seccompProfile': runtimeDefault,
        'init.securityContext.seccompProfile': localhost,
      },
    ],
    fail: [
      { 'pod.seccompProfile': null },
      { 'pod.seccompProfile': unconfined },
      { 'pod.seccompProfile': null, 'main.securityContext.seccompProfile': runtimeDefault },
      { 'pod.seccompProfile': null, 'init.securityContext.seccompProfile': runtimeDefault },
      {
        'pod.seccompProfile': null,
        'main.securityContext.seccompProfile': runtimeDefault,
        'init.securityContext.seccompProfile': unconfined,
      },
    ],
  },
  sysctlRows(0, sysctls0),
  sysctlRows(27, sysctls27),
  sysctlRows(29, sysctls29),
  sysctlRows(32, sysctls32),
  {
    check: 'windowsHostProcess',
    level: 'baseline',
    from: 0,
    words: 'hostProcess',
    blank: below('windowsOptions'),
    // Such pods have the host's network, or they would not be valid at all.
    fail: [
      { 'spec.hostNetwork': true, 'pod.windowsOptions.hostProcess': true },
      { 'spec.hostNetwork': true, ...inBoth('securityContext.windowsOptions.hostProcess', true) },
    ],
  },
]
