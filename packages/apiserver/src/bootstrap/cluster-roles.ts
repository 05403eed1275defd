// The cluster roles that every cluster has: for users, and for the components of Kubernetes.
// Upstream's bootstrap policy, in the notation of policy-notation.ts; rules of features that are off are left out.

import type { PolicyRole } from './policy-notation.ts'

export const clusterRoles: Readonly<Record<string, PolicyRole>> = {
  'cluster-admin': {
    rules: ['*: *: *', '*: URLs *'],
  },
  'system:discovery': {
    rules: ['get: URLs /livez /readyz /healthz /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*'],
  },
  'system:monitoring': {
    rules: [
      'get: URLs /metrics /metrics/slis /livez /readyz /healthz /livez/* /readyz/* /healthz/*',
      'get: core: nodes/metrics',
    ],
  },
  'system:basic-user': {
    rules: [
      'create: authorization.k8s.io: selfsubjectaccessreviews selfsubjectrulesreviews',
      'create: authentication.k8s.io: selfsubjectreviews',
    ],
  },
  'system:public-info-viewer': {
    rules: ['get: URLs /livez /readyz /healthz /version /version/'],
  },
  admin: {
    aggregates: 'admin',
    rules: [],
  },
  edit: {
    aggregatedTo: 'admin',
    aggregates: 'edit',
    rules: [],
  },
  view: {
    aggregatedTo: 'edit',
    aggregates: 'view',
    rules: [],
  },
  'system:aggregate-to-admin': {
    aggregatedTo: 'admin',
    rules: [
      'create: authorization.k8s.io: localsubjectaccessreviews',
      'read+write: rbac.authorization.k8s.io: roles rolebindings',
    ],
  },
  'system:aggregate-to-edit': {
    aggregatedTo: 'edit',
    rules: [
      'read: core: pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy',
      'impersonate: core: serviceaccounts',
      'write: core: pods pods/attach pods/proxy pods/exec pods/portforward',
      'create: core: pods/eviction',
      'write: core: replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy persistentvolumeclaims configmaps secrets events',
      'create: core: serviceaccounts/token',
      'write: apps: statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback replicasets replicasets/scale',
      'write: autoscaling: horizontalpodautoscalers',
      'write: batch: jobs cronjobs',
      'write: extensions: daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale replicationcontrollers/scale networkpolicies',
      'write: policy: poddisruptionbudgets',
      'write: networking.k8s.io: networkpolicies ingresses',
      'read+write: coordination.k8s.io: leases',
      'write: resource.k8s.io: resourceclaims resourceclaimtemplates',
    ],
  },
  // Of metrics-server, whose part this server takes.
  'system:aggregated-metrics-reader': {
    aggregatedTo: 'view',
    rules: ['read: metrics.k8s.io: pods nodes'],
  },
  'system:aggregate-to-view': {
    aggregatedTo: 'view',
    rules: [
      'read: core: pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status endpoints persistentvolumeclaims persistentvolumeclaims/status configmaps',
      'read: core: limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status replicationcontrollers/status pods/log',
      'read: core: namespaces',
      'read: discovery.k8s.io: endpointslices',
      'read: apps: controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale',
      'read: autoscaling: horizontalpodautoscalers horizontalpodautoscalers/status',
      'read: batch: jobs cronjobs cronjobs/status jobs/status',
      'read: extensions: daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies',
      'read: policy: poddisruptionbudgets poddisruptionbudgets/status',
      'read: networking.k8s.io: networkpolicies ingresses ingresses/status',
      'read: resource.k8s.io: resourceclaims resourceclaims/status resourceclaimtemplates',
    ],
  },
  'system:heapster': {
    rules: ['read: core: events pods nodes namespaces', 'read: extensions: deployments'],
  },
  'system:node': {
    rules: [
      'create: authentication.k8s.io: tokenreviews',
      'create: authorization.k8s.io: subjectaccessreviews localsubjectaccessreviews',
      'read: core: services',
      'create,get,list,watch: core: nodes',
      'update,patch: core: nodes/status',
      'update,patch: core: nodes',
      'create,update,patch: core: events',
      'read: core: pods',
      'create,delete: core: pods',
      'update,patch: core: pods/status',
      'create: core: pods/eviction',
      'read: core: secrets configmaps',
      'get: core: persistentvolumeclaims persistentvolumes',
      'get: core: endpoints',
      'create,get,list,watch: certificates.k8s.io: certificatesigningrequests',
      'get,create,update,patch,delete: coordination.k8s.io: leases',
      'get: storage.k8s.io: volumeattachments',
      'create: core: serviceaccounts/token',
      'get,update,patch: core: persistentvolumeclaims/status',
      'get,watch,list: storage.k8s.io: csidrivers',
      'get,create,update,patch,delete: storage.k8s.io: csinodes',
      'read: node.k8s.io: runtimeclasses',
      'get: resource.k8s.io: resourceclaims',
      'deletecollection: resource.k8s.io: resourceslices',
      'get: core: serviceaccounts',
    ],
  },
  'system:node-problem-detector': {
    rules: ['get: core: nodes', 'patch: core: nodes/status', 'create,update,patch: core,events.k8s.io: events'],
  },
  'system:node-bootstrapper': {
    rules: ['create,get,list,watch: certificates.k8s.io: certificatesigningrequests'],
  },
  'system:auth-delegator': {
    rules: ['create: authentication.k8s.io: tokenreviews', 'create: authorization.k8s.io: subjectaccessreviews'],
  },
  'system:kube-aggregator': {
    rules: ['read: core: services endpoints'],
  },
  'system:kube-controller-manager': {
    rules: [
      'create,update,patch: core,events.k8s.io: events',
      'create: coordination.k8s.io: leases',
      'get,update: coordination.k8s.io: leases [names kube-controller-manager]',
      'create: core: secrets serviceaccounts',
      'delete: core: secrets',
      'get: core: namespaces secrets serviceaccounts configmaps',
      'update: core: secrets serviceaccounts',
      'create: authentication.k8s.io: tokenreviews',
      'create: authorization.k8s.io: subjectaccessreviews',
      'list,watch: *: *',
      'create: core: serviceaccounts/token',
    ],
  },
  'system:kube-dns': {
    rules: ['list,watch: core: endpoints services'],
  },
  'aksel:disk-provisioner': {
    rules: [
      'get,list,watch,create,update,patch,delete: core: persistentvolumes',
      'get,list,watch,update,patch: core: persistentvolumeclaims',
      'update,patch: core: persistentvolumeclaims/status',
      'get,list,watch: core: nodes pods',
      'read: storage.k8s.io: storageclasses volumeattachments',
      'create,update,patch: core,events.k8s.io: events',
    ],
  },
  'cloud-node-manager': {
    rules: [
      'get,list,watch,update,patch: core: nodes',
      'patch: core: nodes/status',
      'create,update,patch: core,events.k8s.io: events',
    ],
  },
  'kubelet-serving-approver': {
    rules: [
      'get,list,watch: certificates.k8s.io: certificatesigningrequests',
      'update: certificates.k8s.io: certificatesigningrequests/approval',
      'approve: certificates.k8s.io: signers [names kubernetes.io/kubelet-serving]',
      'get,list,watch: core: nodes',
    ],
  },
  'aks-remediator': {
    rules: ['get,list,watch,patch: core: nodes', 'create,update,patch: core,events.k8s.io: events'],
  },
  'system:persistent-volume-provisioner': {
    rules: [
      'get,list,watch,create,delete: core: persistentvolumes',
      'get,list,watch,update: core: persistentvolumeclaims',
      'read: storage.k8s.io: storageclasses',
      'watch: core: events',
      'create,update,patch: core,events.k8s.io: events',
    ],
  },
  'system:certificates.k8s.io:certificatesigningrequests:nodeclient': {
    rules: ['create: certificates.k8s.io: certificatesigningrequests/nodeclient'],
  },
  'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient': {
    rules: ['create: certificates.k8s.io: certificatesigningrequests/selfnodeclient'],
  },
  'system:volume-scheduler': {
    rules: [
      'read+update+patch: core: persistentvolumes',
      'read: storage.k8s.io: storageclasses',
      'read+update+patch: core: persistentvolumeclaims',
    ],
  },
  'system:certificates.k8s.io:legacy-unknown-approver': {
    rules: ['approve: certificates.k8s.io: signers [names kubernetes.io/legacy-unknown]'],
  },
  'system:certificates.k8s.io:kubelet-serving-approver': {
    rules: ['approve: certificates.k8s.io: signers [names kubernetes.io/kubelet-serving]'],
  },
  'system:certificates.k8s.io:kube-apiserver-client-approver': {
    rules: ['approve: certificates.k8s.io: signers [names kubernetes.io/kube-apiserver-client]'],
  },
  'system:certificates.k8s.io:kube-apiserver-client-kubelet-approver': {
    rules: ['approve: certificates.k8s.io: signers [names kubernetes.io/kube-apiserver-client-kubelet]'],
  },
  'system:service-account-issuer-discovery': {
    rules: [
      'get: URLs /.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
    ],
  },
  'system:kubelet-api-admin': {
    rules: [
      'read: core: nodes',
      'proxy: core: nodes',
      '*: core: nodes/proxy nodes/metrics nodes/stats nodes/log',
      '*: core: nodes/pods nodes/healthz nodes/configz',
    ],
  },
  'system:node-proxier': {
    rules: [
      'list,watch: core: services endpoints',
      'read: core: nodes',
      'create,update,patch: core,events.k8s.io: events',
      'list,watch: networking.k8s.io: servicecidrs',
      'list,watch: discovery.k8s.io: endpointslices',
    ],
  },
  'system:kube-scheduler': {
    rules: [
      'create,update,patch: core,events.k8s.io: events',
      'create: coordination.k8s.io: leases',
      'get,update,list,watch: coordination.k8s.io: leases [names kube-scheduler]',
      'read+write: coordination.k8s.io: leasecandidates',
      'read: core: nodes',
      'get,list,watch,delete: core: pods',
      'create: core: pods/binding bindings',
      'patch,update: core: pods/status',
      'read: core: services replicationcontrollers',
      'read: apps,extensions: replicasets',
      'read: apps: statefulsets',
      'read: policy: poddisruptionbudgets',
      'read: core: persistentvolumeclaims persistentvolumes',
      'create: authentication.k8s.io: tokenreviews',
      'create: authorization.k8s.io: subjectaccessreviews',
      'read: storage.k8s.io: csinodes',
      'read: storage.k8s.io: volumeattachments',
      'read: core: namespaces',
      'read: storage.k8s.io: csidrivers',
      'read: storage.k8s.io: csistoragecapacities',
      'read: resource.k8s.io: deviceclasses',
      'read+update+patch: resource.k8s.io: resourceclaims',
      'read+update+patch: resource.k8s.io: resourceclaims/status',
      'update: core: pods/finalizers',
      'read: resource.k8s.io: resourceslices',
    ],
  },
}
