// What is told only when it is asked for.

import { idle, pod, shell, type Scenario } from './scenario.ts'

const configMap = (name: string, data: object): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
})

export const advice: readonly Scenario[] = [
  {
    name: 'a privileged container',
    finds: 'security/privileged',
    about: 'Pod/strong',
    cause: /It is privileged: main\./,
    objects: () => [pod('strong', { ...idle, securityContext: { privileged: true } })],
  },
  {
    name: 'a pod without a security context',
    finds: 'security/no-security-context',
    about: 'Pod/plain',
    cause: /Neither the pod nor main has a securityContext/,
    objects: () => [pod('plain', idle)],
  },
  {
    name: 'a pod that carries the token of the default account',
    finds: 'security/default-account',
    about: 'Pod/plain',
    cause: /service account "default"/,
    objects: () => [pod('plain', idle)],
  },
  {
    name: 'a role that allows everything',
    finds: 'security/wildcard-role',
    about: 'Role/anything',
    cause: /says "\*" for verbs and resources/,
    objects: () => [
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'anything' },
        rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
      },
    ],
  },
  {
    name: 'a config map without a key',
    finds: 'tidiness/config-map-empty',
    about: 'ConfigMap/hollow',
    cause: /It has no key/,
    objects: () => [configMap('hollow', {})],
  },
  {
    name: 'a config map that no pod uses',
    finds: 'tidiness/config-map-unused',
    about: 'ConfigMap/forgotten',
    cause: /No volume and no variable of a pod/,
    objects: () => [
      configMap('forgotten', { a: 'b' }),
      configMap('needed', { a: 'b' }),
      pod('reader', shell('sleep infinity', { envFrom: [{ configMapRef: { name: 'needed' } }] })),
    ],
  },
  {
    name: 'a network policy that allows all',
    finds: 'tidiness/policy-allows-all',
    about: 'NetworkPolicy/open',
    cause: /An empty rule of ingress allows everything/,
    objects: () => [
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'open' },
        spec: { podSelector: {}, ingress: [{}] },
      },
    ],
  },
  {
    name: 'a volume smaller than any disk',
    finds: 'tidiness/volume-tiny',
    about: 'PersistentVolume',
    cause: /It has 10Mi/,
    objects: (namespace) => [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: `tiny-of-${namespace}` },
        spec: {
          capacity: { storage: '10Mi' },
          accessModes: ['ReadWriteOnce'],
          storageClassName: 'tiny',
          hostPath: { path: '/var/tmp' },
        },
      },
    ],
  },
]
