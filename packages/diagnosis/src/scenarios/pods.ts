// Pods that find no place, do not start or do not stay up.

import { deployment, idle, job, pod, shell, tools, type Scenario } from './scenario.ts'

export const pending: readonly Scenario[] = [
  {
    name: 'a pod asks for more CPU than any node has',
    finds: 'pending/too-large',
    about: 'Pod/large',
    cause: /asks for 500 of cpu: no node has that much/,
    objects: () => [pod('large', { ...idle, resources: { requests: { cpu: '500' } } })],
  },
  {
    name: 'replicas ask for more memory than is left',
    finds: 'pending/insufficient-resources',
    about: 'Pod',
    cause: /of memory; the roomiest node/,
    // One of them fits on a node of any size that runs this; never all.
    objects: () => [deployment('hungry', 30, { ...idle, resources: { requests: { memory: '1500Mi' } } })],
  },
  {
    name: 'a nodeSelector that no node meets',
    finds: 'pending/node-selector',
    about: 'Pod/picky',
    cause: /no node has a label "kubernetes\.io\/hostnam"\. Did you mean "kubernetes\.io\/hostname"\?/,
    objects: () => [pod('picky', idle, { nodeSelector: { 'kubernetes.io/hostnam': 'x' } })],
  },
  {
    name: 'a node affinity that no node meets',
    finds: 'pending/node-affinity',
    about: 'Pod/attached',
    cause: /kubernetes\.io\/arch In s390x/,
    objects: () => [
      pod('attached', idle, {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: 'kubernetes.io/arch', operator: 'In', values: ['s390x'] }] },
              ],
            },
          },
        },
      }),
    ],
  },
  {
    name: 'pod anti-affinity with more replicas than nodes',
    finds: 'pending/pod-anti-affinity',
    about: 'Pod',
    cause: /must not share a node/,
    objects: () => [
      deployment('lonely', 4, idle, {
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'lonely' } } },
            ],
          },
        },
      }),
    ],
  },
  {
    name: 'a host port that is taken on every node',
    finds: 'pending/host-ports',
    about: 'Pod',
    cause: /host port/,
    objects: () => [deployment('porter', 4, { ...idle, ports: [{ containerPort: 80, hostPort: 31999 }] })],
  },
  {
    name: 'a claim that does not exist',
    finds: 'pending/claim-missing',
    about: 'Pod/keeper',
    cause: /claim "data" does not exist/,
    objects: () => [pod('keeper', idle, { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] })],
  },
  {
    name: 'a storage class that does not exist',
    finds: 'pending/claim-unbound',
    about: 'Pod/keeper',
    cause: /storage class "manged-csi" does not exist\. Did you mean "managed-csi"\?/,
    objects: () => [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: {
          storageClassName: 'manged-csi',
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: '1Gi' } },
        },
      },
      pod('keeper', idle, { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] }),
    ],
  },
  {
    name: 'a volume whose zone has no node left',
    finds: 'pending/volume-zone',
    about: 'Pod/keeper',
    cause: /lies in topology\.kubernetes\.io\/zone elsewhere-9, and no node that takes pods is there/,
    objects: (namespace) => [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: `left-by-${namespace}` },
        spec: {
          capacity: { storage: '1Gi' },
          accessModes: ['ReadWriteOnce'],
          storageClassName: '',
          hostPath: { path: '/var/tmp' },
          claimRef: { namespace, name: 'data' },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [
                {
                  matchExpressions: [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: ['elsewhere-9'] }],
                },
              ],
            },
          },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: {
          storageClassName: '',
          volumeName: `left-by-${namespace}`,
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: '1Gi' } },
        },
      },
      pod('keeper', idle, { volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] }),
    ],
  },
  {
    name: 'a scheduling gate that nobody takes off',
    finds: 'pending/gated',
    about: 'Pod/gated',
    cause: /"example\.com\/approval"/,
    objects: () => [pod('gated', idle, { schedulingGates: [{ name: 'example.com/approval' }] })],
  },
  {
    name: 'a scheduler that does not exist',
    finds: 'pending/no-scheduler',
    about: 'Pod/elsewhere',
    cause: /scheduler "clever"/,
    objects: () => [pod('elsewhere', idle, { schedulerName: 'clever' })],
  },
]

const limits = (memory: string): { readonly resources: object } => ({ resources: { limits: { memory } } })

export const containers: readonly Scenario[] = [
  {
    name: 'a memory limit that is too low',
    finds: 'containers/out-of-memory',
    about: 'Pod/greedy',
    cause: /limit of 24Mi/,
    objects: () => [pod('greedy', shell('tail /dev/zero', limits('24Mi')))],
  },
  {
    name: 'a setting that is missing',
    finds: 'containers/missing-setting',
    about: 'Pod',
    cause: /DB_HOST/,
    objects: () => [deployment('unset', 1, shell('set -u; echo "$DB_HOST"'))],
  },
  {
    name: 'a typo in the command of an init container',
    finds: 'containers/command-not-found',
    about: 'Pod/typo',
    cause: /"wge"/,
    objects: () => [pod('typo', idle, { initContainers: [{ ...shell('wge http://x'), name: 'fetch' }] })],
  },
  {
    name: 'a program that is not in the image',
    finds: 'containers/cannot-start',
    about: 'Pod/absent',
    cause: /no program "pyhton"/,
    objects: () => [pod('absent', { ...idle, command: ['pyhton'] })],
  },
  {
    name: 'a script that cannot be read, in a Job',
    finds: 'containers/syntax-error',
    about: 'Job/script',
    cause: /cannot be read/,
    objects: () => [job('script', shell('if true; then'))],
  },
  {
    name: 'a Job whose database has another name',
    finds: 'network/name-not-found',
    about: 'Job/import',
    cause: /"databse"/,
    objects: () => [job('import', shell('wget -q -O - http://databse:5432'))],
  },
  {
    name: 'a Job whose database does not listen',
    finds: 'network/connection-refused',
    about: 'Job/import',
    cause: /Nobody listens/,
    objects: () => [job('import', shell('wget -q -O - http://127.0.0.1:5432'))],
  },
  {
    name: 'a volume that is full',
    finds: 'storage/volume-full',
    about: 'Pod/writer',
    cause: /full/,
    objects: () => [
      pod(
        'writer',
        shell('dd if=/dev/zero of=/data/x bs=64k count=64', { volumeMounts: [{ name: 'd', mountPath: '/data' }] }),
        {
          volumes: [{ name: 'd', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
        },
      ),
    ],
  },
  {
    name: 'a readiness probe at the wrong port',
    finds: 'containers/readiness-probe',
    about: 'Pod/web',
    cause: /asks port 80, and the container declares 8080/,
    objects: () => [
      pod(
        'web',
        shell('mkdir /www; httpd -f -p 8080 -h /www', {
          ports: [{ containerPort: 8080 }],
          readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1 },
        }),
      ),
    ],
  },
  {
    name: 'a liveness probe at the wrong port',
    finds: 'containers/liveness-probe',
    about: 'Pod/web',
    cause: /asks port 80, and the container declares 8080/,
    objects: () => [
      pod(
        'web',
        shell('mkdir /www; httpd -f -p 8080 -h /www', {
          ports: [{ containerPort: 8080 }],
          livenessProbe: {
            tcpSocket: { port: 80 },
            periodSeconds: 1,
            failureThreshold: 1,
            terminationGracePeriodSeconds: 1,
          },
        }),
      ),
    ],
  },
  {
    name: 'a ConfigMap that is missing',
    finds: 'containers/missing-configmap',
    about: 'Pod/reader',
    cause: /ConfigMap "settings" does not exist.*Did you mean "setting"\?/,
    objects: () => [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'setting' } },
      pod('reader', idle, { volumes: [{ name: 'c', configMap: { name: 'settings' } }] }),
    ],
  },
  {
    name: 'a Secret that is missing, and a ConfigMap of its name',
    finds: 'containers/missing-secret',
    about: 'Pod/reader',
    cause: /Secret "app-config" does not exist.*There is a ConfigMap of that name/,
    objects: () => [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'app-config' } },
      pod('reader', { ...idle, envFrom: [{ secretRef: { name: 'app-config' } }] }),
    ],
  },
  {
    name: 'a key that is missing in a ConfigMap',
    finds: 'containers/missing-key',
    about: 'Pod/reader',
    cause: /no key "port"; it has ports/,
    objects: () => [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'app' }, data: { ports: '80' } },
      pod('reader', { ...idle, env: [{ name: 'PORT', valueFrom: { configMapKeyRef: { name: 'app', key: 'port' } } }] }),
    ],
  },
  {
    name: 'a registry that cannot be reached',
    finds: 'containers/registry-unreachable',
    about: 'Pod/pulled',
    cause: /cannot be reached/,
    objects: () => [pod('pulled', { name: 'main', image: 'registry.invalid/app:1' })],
  },
  {
    name: 'a name that is no name of an image',
    finds: 'containers/image-name',
    about: 'Pod/pulled',
    cause: /no name of an image/,
    objects: () => [pod('pulled', { name: 'main', image: 'Some/Image:1' })],
  },
  {
    name: 'an image that is not on the node and may not be pulled',
    finds: 'containers/image-never-pulled',
    about: 'Pod/pulled',
    cause: /imagePullPolicy: Never/,
    objects: () => [pod('pulled', { name: 'main', image: 'example.com/app:1', imagePullPolicy: 'Never' })],
  },
  {
    name: 'a service account that may not list pods',
    finds: 'access/forbidden',
    about: 'Pod/robot',
    cause: /system:serviceaccount:.*:default may not list pods/,
    objects: () => [
      pod('robot', {
        ...idle,
        image: tools,
        command: [
          'sh',
          '-c',
          'd=/var/run/secrets/kubernetes.io/serviceaccount; curl -s --cacert $d/ca.crt -H "Authorization: Bearer $(cat $d/token)" https://kubernetes.default.svc/api/v1/namespaces/$(cat $d/namespace)/pods; exit 1',
        ],
      }),
    ],
  },
]
