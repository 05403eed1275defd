// What the tour shows. Each chapter stands on the cluster alone: any of them can be taken by itself.

import type { Chapter } from './step.ts'

const busybox = 'docker.io/library/busybox:1.36'

function yaml(...lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}

function webDeployment(name: string, more: readonly string[] = []): string {
  return yaml(
    'apiVersion: apps/v1',
    'kind: Deployment',
    `metadata: {name: ${name}, namespace: tour}`,
    'spec:',
    '  replicas: 2',
    `  selector: {matchLabels: {app: ${name}}}`,
    '  template:',
    `    metadata: {labels: {app: ${name}}}`,
    '    spec:',
    '      terminationGracePeriodSeconds: 1',
    '      containers:',
    '      - name: web',
    `        image: ${busybox}`,
    '        command: [sh, -c, "mkdir -p /www && echo hello from $HOSTNAME > /www/index.html && exec httpd -f -p 8080 -h /www"]',
    '        ports: [{containerPort: 8080}]',
    '        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}',
    ...more,
  )
}

function guest(name: string, role: string): string {
  return yaml(
    'apiVersion: v1',
    'kind: Pod',
    `metadata: {name: ${name}, namespace: tour, labels: {role: ${role}}}`,
    'spec:',
    '  terminationGracePeriodSeconds: 1',
    `  containers: [{name: main, image: ${busybox}, command: [sleep, infinity]}]`,
  )
}

const namespace = yaml('apiVersion: v1', 'kind: Namespace', 'metadata: {name: tour}')
const inNamespace = {
  say: 'Everything of the tour lives in a namespace of its own.',
  run: 'kubectl apply -f -',
  input: namespace,
  shows: /namespace\/tour/,
}

export const chapters: readonly Chapter[] = [
  {
    name: 'cluster',
    title: 'A managed cluster',
    say: 'Aksel speaks two contracts: Azure Resource Manager for clusters and pools, Kubernetes for what runs in them.',
    steps: [
      { say: 'What runs here.', run: 'status', shows: /demo/ },
      {
        say: 'The cluster as Azure shows it.',
        run: 'az aks show -g aksel -n demo --query provisioningState',
        shows: /Succeeded/,
      },
      { say: 'Its nodes as Kubernetes shows them.', run: 'kubectl get nodes -o wide', shows: /Ready/ },
      {
        say: 'Where it could be upgraded to.',
        run: "az aks get-upgrades -g aksel -n demo --query 'controlPlaneProfile.upgrades[].kubernetesVersion' -o tsv",
        shows: /1\.36/,
      },
    ],
  },
  {
    name: 'workloads',
    title: 'Deployments, rollouts and a way back',
    say: 'Control loops behave as upstream does: surges, conditions, events and words.',
    steps: [
      inNamespace,
      {
        say: 'A deployment of two replicas.',
        run: 'kubectl apply -f -',
        input: webDeployment('web'),
        shows: /deployment\.apps\/web/,
      },
      {
        say: 'Wait until both are available.',
        run: 'kubectl rollout status deployment/web -n tour --timeout=120s',
        shows: /successfully rolled out/,
      },
      { say: 'Scale it.', run: 'kubectl scale deployment/web -n tour --replicas=3', shows: /scaled/ },
      {
        say: 'A bad image.',
        run: 'kubectl set image deployment/web -n tour web=registry.invalid/web:2',
        shows: /image updated/,
      },
      {
        say: 'The new pod cannot be pulled; the old ones go on.',
        run: 'kubectl get pods -n tour -l app=web',
        shows: /ImagePull|ErrImage/,
        withinSeconds: 60,
        needsContainers: true,
      },
      { say: 'The way back.', run: 'kubectl rollout undo deployment/web -n tour', shows: /rolled back/ },
      {
        say: 'All is well again.',
        run: 'kubectl rollout status deployment/web -n tour --timeout=120s',
        shows: /successfully rolled out/,
      },
      {
        say: 'A look inside a container.',
        run: "kubectl exec deployment/web -n tour -- sh -c 'hostname; wget -q -O - http://127.0.0.1:8080'",
        shows: /hello from web-/,
        needsContainers: true,
      },
    ],
  },
  {
    name: 'network',
    title: 'Services, names and policies',
    say: 'Packets are real: services are nftables maps on each node, names are answered there, and policies are in force before a first packet.',
    steps: [
      inNamespace,
      {
        say: 'A web server.',
        run: 'kubectl apply -f -',
        input: webDeployment('site'),
        shows: /deployment\.apps\/site/,
      },
      {
        say: 'A service before it.',
        run: 'kubectl expose deployment site -n tour --port=80 --target-port=8080',
        shows: /service\/site exposed|AlreadyExists/,
      },
      {
        say: 'Its pods are ready.',
        run: 'kubectl rollout status deployment/site -n tour --timeout=120s',
        shows: /successfully rolled out/,
      },
      {
        say: 'Two guests, one of them a friend.',
        run: 'kubectl apply -f -',
        input: `${guest('stranger', 'nobody')}---\n${guest('friend', 'friend')}`,
        shows: /pod\/friend/,
      },
      {
        say: 'They run.',
        run: 'kubectl wait pod/stranger pod/friend -n tour --for=condition=Ready --timeout=90s',
        shows: /pod\/friend condition met/,
      },
      {
        say: 'Anybody may ask the service by its name.',
        run: "kubectl exec stranger -n tour -- sh -c 'timeout 3 wget -q -O - http://site'",
        shows: /hello from site-/,
        withinSeconds: 30,
        needsContainers: true,
      },
      {
        say: 'A policy: only pods with role=friend may come.',
        run: 'kubectl apply -f -',
        input: yaml(
          'apiVersion: networking.k8s.io/v1',
          'kind: NetworkPolicy',
          'metadata: {name: friends, namespace: tour}',
          'spec:',
          '  podSelector: {matchLabels: {app: site}}',
          '  ingress: [{from: [{podSelector: {matchLabels: {role: friend}}}]}]',
        ),
        shows: /networkpolicy\.networking\.k8s\.io\/friends/,
      },
      {
        say: 'A stranger hears nothing.',
        run: "kubectl exec stranger -n tour -- sh -c 'timeout 3 wget -q -O - http://site || echo no answer'",
        shows: /^no answer$/m,
        withinSeconds: 30,
        needsContainers: true,
      },
      {
        say: 'A friend is let in.',
        run: "kubectl exec friend -n tour -- sh -c 'timeout 3 wget -q -O - http://site'",
        shows: /hello from site-/,
        withinSeconds: 30,
        needsContainers: true,
      },
    ],
  },
  {
    name: 'storage',
    title: 'A disk that outlives its pod',
    say: 'A claim of class managed-csi becomes a disk; what was written is there for the next pod.',
    steps: [
      inNamespace,
      {
        say: 'A claim, and a pod that writes to it.',
        run: 'kubectl apply -f -',
        input: yaml(
          'apiVersion: v1',
          'kind: PersistentVolumeClaim',
          'metadata: {name: notes, namespace: tour}',
          'spec:',
          '  accessModes: [ReadWriteOnce]',
          '  storageClassName: managed-csi',
          '  resources: {requests: {storage: 1Gi}}',
          '---',
          'apiVersion: v1',
          'kind: Pod',
          'metadata: {name: writer, namespace: tour}',
          'spec:',
          '  restartPolicy: Never',
          '  containers:',
          `  - {name: main, image: ${busybox}, command: [sh, -c, "echo remembered > /data/note"], volumeMounts: [{name: data, mountPath: /data}]}`,
          '  volumes: [{name: data, persistentVolumeClaim: {claimName: notes}}]',
        ),
        shows: /persistentvolumeclaim\/notes/,
      },
      {
        say: 'It writes and ends.',
        run: "kubectl wait pod/writer -n tour --for=jsonpath='{.status.phase}'=Succeeded --timeout=90s",
        shows: /condition met/,
        needsContainers: true,
      },
      { say: 'The pod goes.', run: 'kubectl delete pod writer -n tour --wait', shows: /deleted/ },
      {
        say: 'Another one reads.',
        run: 'kubectl apply -f -',
        input: yaml(
          'apiVersion: v1',
          'kind: Pod',
          'metadata: {name: reader, namespace: tour}',
          'spec:',
          '  restartPolicy: Never',
          '  containers:',
          `  - {name: main, image: ${busybox}, command: [cat, /data/note], volumeMounts: [{name: data, mountPath: /data}]}`,
          '  volumes: [{name: data, persistentVolumeClaim: {claimName: notes}}]',
        ),
        shows: /pod\/reader/,
      },
      {
        say: 'What it says.',
        run: 'kubectl logs reader -n tour',
        shows: /remembered/,
        withinSeconds: 60,
        needsContainers: true,
      },
    ],
  },
  {
    name: 'pools',
    title: 'Node pools that are simulated',
    say: 'Simulated nodes pass the real API: they are for rehearsing at a size that this machine does not have, and say so everywhere.',
    steps: [
      {
        say: 'A pool of five simulated nodes.',
        run: 'az aks nodepool add -g aksel --cluster-name demo -n crowd -c 5 --simulated --query provisioningState',
        shows: /Succeeded/,
      },
      {
        say: 'They are Ready, and labelled as what they are.',
        run: 'kubectl get nodes -l aksel.dev/simulated=true',
        shows: /Ready/,
        withinSeconds: 30,
      },
      {
        say: 'They are lost, by order.',
        run: 'machine fault lost --all',
        shows: /lost/,
      },
      { say: 'What was ordered.', run: 'machine list', shows: /simulated.*lost/ },
      { say: 'They come back.', run: 'machine heal --all', shows: /healthy/ },
      { say: 'The pool goes.', run: 'az aks nodepool delete -g aksel --cluster-name demo -n crowd', shows: /^/ },
    ],
  },
  {
    name: 'trouble',
    title: 'What is wrong?',
    say: '`aksel diagnose` finds causes by rules: symptom, evidence, cause, fix, the next command.',
    steps: [
      inNamespace,
      {
        say: 'A pod that wants a label which no node has, and a service that selects nothing.',
        run: 'kubectl apply -f -',
        input: yaml(
          'apiVersion: v1',
          'kind: Pod',
          'metadata: {name: picky, namespace: tour}',
          `spec: {nodeSelector: {disk: ssd}, containers: [{name: main, image: ${busybox}, command: [sleep, infinity]}]}`,
          '---',
          'apiVersion: v1',
          'kind: Service',
          'metadata: {name: nobody, namespace: tour}',
          'spec: {selector: {app: nobody}, ports: [{port: 80}]}',
        ),
        shows: /pod\/picky/,
      },
      {
        say: 'What is wrong in the namespace.',
        run: 'diagnose -n tour',
        shows:
          /no node has a label "disk"[\s\S]*No pod has app=nobody|No pod has app=nobody[\s\S]*no node has a label "disk"/,
        withinSeconds: 30,
      },
      {
        say: 'For a script: one object, as JSON.',
        run: 'diagnose pod/picky -n tour -o json',
        shows: /"pending\/node-selector"/,
      },
      { say: 'They go.', run: 'kubectl delete pod/picky service/nobody -n tour', shows: /deleted/ },
    ],
  },
  {
    name: 'upgrade',
    title: 'Before an upgrade',
    say: 'What would stop an upgrade is told before it begins: for people, and for pipelines with an exit code and JUnit.',
    steps: [
      { say: 'Would it go through?', run: 'az aks upgrade -g aksel -n demo -k 1.36 --preflight -o table', shows: /./ },
    ],
  },
  {
    name: 'copies',
    title: 'A copy to rehearse on',
    say: 'A running cluster is copied in a moment: objects, uids and versions stay, its nodes are simulated, its clock is its own.',
    steps: [
      { say: 'Copy it.', run: 'cluster fork twin', shows: /twin/ },
      {
        say: 'Both are there.',
        run: "az aks list -g aksel --query '[].name' -o tsv",
        shows: /demo[\s\S]*twin|twin[\s\S]*demo/,
      },
      { say: 'The copy goes.', run: 'az aks delete -g aksel -n twin --yes', shows: /^/ },
    ],
  },
]
