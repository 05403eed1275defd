// Workloads, networks, storage and access that are set up wrong.

import { deployment, idle, pod, service, shell, type Scenario } from './scenario.ts'

function quota(hard: object): object {
  return { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'team' }, spec: { hard } }
}

export const workloads: readonly Scenario[] = [
  {
    name: 'a CPU quota that is used up',
    finds: 'workloads/quota-exceeded',
    about: 'Deployment/web',
    cause: /Quota "team".*used up/,
    objects: () => [
      quota({ 'requests.cpu': '100m' }),
      deployment('web', 1, { ...idle, resources: { requests: { cpu: '200m' } } }),
    ],
  },
  {
    name: 'a quota that demands limits',
    finds: 'workloads/quota-demands',
    about: 'Deployment/web',
    cause: /limits\.cpu/,
    objects: () => [quota({ 'limits.cpu': '1' }), deployment('web', 1, idle)],
  },
  {
    name: 'a namespace that enforces Pod Security',
    finds: 'workloads/pod-security',
    about: 'Deployment/web',
    cause: /"restricted:latest"/,
    objects: (namespace) => [
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
      },
      deployment('web', 1, idle),
    ],
  },
  {
    name: 'a service account that does not exist',
    finds: 'workloads/service-account-missing',
    about: 'Deployment/web',
    cause: /"robt" does not exist\. Did you mean "robot"\?/,
    objects: () => [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } },
      deployment('web', 1, idle, { serviceAccountName: 'robt' }),
    ],
  },
  {
    name: 'a priority class that does not exist',
    finds: 'workloads/priority-class-missing',
    about: 'Deployment/web',
    cause: /"urgent"/,
    objects: () => [deployment('web', 1, idle, { priorityClassName: 'urgent' })],
  },
  {
    name: 'a limit range that forbids the request',
    finds: 'workloads/limit-range',
    about: 'Deployment/web',
    cause: /maximum memory usage per Container is 64Mi/,
    objects: () => [
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'small' },
        spec: { limits: [{ type: 'Container', max: { memory: '64Mi' } }] },
      },
      deployment('web', 1, { ...idle, resources: { limits: { memory: '128Mi' } } }),
    ],
  },
  {
    name: 'a budget that lets no pod go',
    finds: 'workloads/budget-blocks',
    about: 'PodDisruptionBudget/strict',
    cause: /wants 1 healthy pods \(minAvailable 1\), and there are 1/,
    objects: () => [
      deployment('web', 1, idle),
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'strict' },
        spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
      },
    ],
  },
  {
    name: 'a cron job that is suspended',
    finds: 'workloads/cron-suspended',
    about: 'CronJob/nightly',
    cause: /suspended/,
    objects: () => [
      {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'nightly' },
        spec: {
          schedule: '0 3 * * *',
          suspend: true,
          jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [idle] } } } },
        },
      },
    ],
  },
  {
    name: 'a webhook without a service',
    finds: 'workloads/webhook-without-service',
    about: 'ValidatingWebhookConfiguration',
    cause: /gatekeeper does not exist/,
    objects: (namespace) => [
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name: `gate-${namespace}` },
        webhooks: [
          {
            name: 'gate.example.com',
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
            failurePolicy: 'Ignore',
            clientConfig: { service: { namespace, name: 'gatekeeper' } },
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['secrets'] }],
          },
        ],
      },
    ],
  },
  {
    name: 'a namespace that is held by a finalizer',
    finds: 'workloads/namespace-stuck',
    about: 'Namespace',
    cause: /example\.com\/hold/,
    objects: () => [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', finalizers: ['example.com/hold'] } },
    ],
    afterwards: (namespace) => [['delete', 'namespace', namespace, '--wait=false']],
  },
]

export const network: readonly Scenario[] = [
  {
    name: 'a service whose selector says v2 while pods are v1',
    finds: 'network/selector-matches-nothing',
    about: 'Service/web',
    cause: /version=v2.*it has version=v1/,
    objects: () => [
      pod('web', idle, {}, { labels: { app: 'web', version: 'v1' } }),
      service('web', { app: 'web', version: 'v2' }),
    ],
  },
  {
    name: 'a service that leads to a port that the pods do not declare',
    finds: 'network/wrong-target-port',
    about: 'Service/web',
    cause: /goes to port 80 of the pods, and their containers declare 8080/,
    objects: () => [
      pod('web', { ...idle, ports: [{ containerPort: 8080 }] }, {}, { labels: { app: 'web' } }),
      service('web', { app: 'web' }),
    ],
  },
  {
    name: 'an ingress class that does not exist',
    finds: 'network/ingress-class-missing',
    about: 'Ingress/web',
    cause: /class "ngnix" does not exist/,
    objects: () => [ingress({ ingressClassName: 'ngnix' })],
  },
  {
    name: 'an ingress whose service does not exist',
    finds: 'network/ingress-service-missing',
    about: 'Ingress/web',
    cause: /service "shop" does not exist/,
    objects: () => [ingress({ ingressClassName: 'ngnix' })],
  },
  {
    name: 'an ingress whose certificate does not exist',
    finds: 'network/ingress-secret-missing',
    about: 'Ingress/web',
    cause: /secret "shop-tls"/,
    objects: () => [ingress({ ingressClassName: 'ngnix', tls: [{ hosts: ['shop.example'], secretName: 'shop-tls' }] })],
  },
  {
    name: 'a default-deny policy that cuts off DNS',
    finds: 'network/policy-blocks-dns',
    about: 'NetworkPolicy/deny',
    cause: /nothing allows port 53/,
    objects: () => [pod('web', idle), policy('deny', {}, ['Egress'])],
  },
  {
    name: 'a policy that applies to no pod',
    finds: 'network/policy-applies-to-none',
    about: 'NetworkPolicy/lost',
    cause: /No pod/,
    objects: () => [policy('lost', { matchLabels: { app: 'nobody' } }, ['Ingress'])],
  },
  {
    name: 'a load balancer whose probe asks for a page that is not there',
    finds: 'network/load-balancer-probe',
    about: 'Service/web',
    cause: /health probe HTTP \d+\/nope fails/,
    objects: () => [
      pod(
        'web',
        {
          ...shell('mkdir /tmp/w; echo ok > /tmp/w/index.html; httpd -f -p 8080 -h /tmp/w'),
          ports: [{ containerPort: 8080 }],
        },
        {},
        { labels: { app: 'web' } },
      ),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: 'web',
          annotations: {
            'service.beta.kubernetes.io/azure-load-balancer-health-probe-protocol': 'http',
            'service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path': '/nope',
          },
        },
        spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
    ],
  },
  {
    name: 'a stateful set without its service',
    finds: 'network/governing-service-missing',
    about: 'StatefulSet/db',
    cause: /service "db-peers" does not exist/,
    objects: () => [
      {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'db' },
        spec: {
          replicas: 0,
          serviceName: 'db-peers',
          selector: { matchLabels: { app: 'db' } },
          template: { metadata: { labels: { app: 'db' } }, spec: { containers: [idle] } },
        },
      },
    ],
  },
]

function ingress(spec: object): object {
  const backend = { service: { name: 'shop', port: { number: 80 } } }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web' },
    spec: { ...spec, rules: [{ host: 'shop.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] },
  }
}

function policy(name: string, podSelector: object, policyTypes: readonly string[]): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name },
    spec: { podSelector, policyTypes },
  }
}

export const storageAndAccess: readonly Scenario[] = [
  {
    name: 'a claim of a class that does not exist, without a pod',
    finds: 'storage/claim-unbound',
    about: 'PersistentVolumeClaim/data',
    cause: /"fast" does not exist/,
    objects: () => [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: { storageClassName: 'fast', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    ],
  },
  {
    name: 'a role binding without its role',
    finds: 'access/role-missing',
    about: 'RoleBinding/readers',
    cause: /Role "reader" does not exist/,
    objects: () => [binding('reader', 'default')],
  },
  {
    name: 'a role binding for an account that does not exist',
    finds: 'access/account-missing',
    about: 'RoleBinding/readers',
    cause: /no service account "robot"/,
    objects: () => [
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'reader' },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
      },
      binding('reader', 'robot'),
    ],
  },
]

function binding(role: string, account: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'readers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
    subjects: [{ kind: 'ServiceAccount', name: account }],
  }
}
