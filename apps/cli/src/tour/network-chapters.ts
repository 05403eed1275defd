// The tour's chapters about names, flows and ingress.

import { guest, inNamespace, webDeployment, yaml } from './objects.ts'
import type { Chapter, Step } from './step.ts'

const asker: readonly Step[] = [
  inNamespace,
  {
    say: 'Somebody to ask.',
    run: 'kubectl apply -f -',
    input: guest('asker', 'asker'),
    shows: /pod\/asker/,
  },
  {
    say: 'It runs.',
    run: 'kubectl wait pod/asker -n tour --for=condition=Ready --timeout=90s',
    shows: /condition met/,
  },
]

function site(name: string): readonly Step[] {
  return [
    {
      say: 'A web server.',
      run: 'kubectl apply -f -',
      input: `${webDeployment(name)}---\n${yaml(
        'apiVersion: v1',
        'kind: Service',
        `metadata: {name: ${name}, namespace: tour}`,
        `spec: {selector: {app: ${name}}, ports: [{port: 80, targetPort: 8080}]}`,
      )}`,
      shows: new RegExp(`service/${name}`),
    },
    {
      say: 'Its pods are ready.',
      run: `kubectl rollout status deployment/${name} -n tour --timeout=120s`,
      shows: /successfully rolled out/,
    },
  ]
}

export const networkChapters: readonly Chapter[] = [
  {
    name: 'dns',
    title: 'Names, and names of your own',
    say: 'Each node answers the cluster’s names by itself, as CoreDNS would; `coredns-custom` changes what is answered, as AKS documents it.',
    steps: [
      ...asker,
      {
        say: 'The API has a name, in every cluster.',
        run: 'kubectl exec asker -n tour -- nslookup kubernetes.default.svc.cluster.local',
        shows: /Address: 10\.0\.0\.1\b/,
        withinSeconds: 30,
        needsContainers: true,
      },
      {
        say: 'A printer that DNS does not know.',
        run: `kubectl patch configmap coredns-custom -n kube-system --type=merge -p '{"data":{"tour.override":"hosts {\\n  10.1.2.3 printer.example\\n  fallthrough\\n}\\n"}}'`,
        shows: /configmap\/coredns-custom patched/,
      },
      {
        say: 'Now it does.',
        run: 'kubectl exec asker -n tour -- nslookup printer.example',
        shows: /Address: 10\.1\.2\.3\b/,
        withinSeconds: 60,
        needsContainers: true,
      },
      {
        say: 'It is taken back.',
        run: 'kubectl patch configmap coredns-custom -n kube-system --type=merge -p {"data":{"tour.override":null}}',
        shows: /configmap\/coredns-custom patched/,
      },
    ],
  },
  {
    name: 'flows',
    title: 'Who speaks with whom',
    say: 'Every node sees its packets: who spoke with whom, whether it passed, and which policy stood in the way, in the words of Hubble.',
    steps: [
      inNamespace,
      ...site('watched'),
      {
        say: 'A talker that asks it once a second.',
        run: 'kubectl apply -f -',
        input: yaml(
          'apiVersion: v1',
          'kind: Pod',
          'metadata: {name: talker, namespace: tour}',
          'spec:',
          '  terminationGracePeriodSeconds: 1',
          '  containers:',
          '  - {name: main, image: docker.io/library/busybox:1.36, command: [sh, -c, "while true; do timeout 1 wget -q -O - http://watched; sleep 1; done"]}',
        ),
        shows: /pod\/talker/,
      },
      {
        say: 'It runs.',
        run: 'kubectl wait pod/talker -n tour --for=condition=Ready --timeout=90s',
        shows: /condition met/,
      },
      {
        say: 'What passes.',
        run: 'flows --follow --for 15 -n tour --pod talker',
        shows: /tour\/talker:\d+ -> tour\/watched[^ ]*:8080 .*FORWARDED/,
        withinSeconds: 30,
        needsContainers: true,
      },
      {
        say: 'A policy that lets nobody in.',
        run: 'kubectl apply -f -',
        input: yaml(
          'apiVersion: networking.k8s.io/v1',
          'kind: NetworkPolicy',
          'metadata: {name: closed, namespace: tour}',
          'spec: {podSelector: {matchLabels: {app: watched}}, policyTypes: [Ingress]}',
        ),
        shows: /networkpolicy\.networking\.k8s\.io\/closed/,
      },
      {
        say: 'What is dropped, and by which policy.',
        run: 'flows --follow --for 15 -n tour --verdict DROPPED',
        shows: /Policy denied ingress by NetworkPolicy tour\/closed DROPPED/,
        withinSeconds: 30,
        needsContainers: true,
      },
      {
        say: 'Both go.',
        run: 'kubectl delete networkpolicy/closed pod/talker -n tour --wait=false',
        shows: /deleted/,
      },
    ],
  },
  {
    name: 'ingress',
    title: 'In from outside',
    say: 'The application-routing add-on brings a real proxy: Ingress and Gateway API, with an address of a load balancer.',
    steps: [
      ...asker,
      {
        say: 'The add-on.',
        run: 'az aks approuting enable -g aksel -n demo --query ingressProfile.webAppRouting.enabled',
        shows: /true/,
        needsContainers: true,
      },
      ...site('shop'),
      {
        say: 'An ingress for it.',
        run: 'kubectl apply -f -',
        input: yaml(
          'apiVersion: networking.k8s.io/v1',
          'kind: Ingress',
          'metadata: {name: shop, namespace: tour}',
          'spec:',
          '  ingressClassName: webapprouting.kubernetes.azure.com',
          '  rules:',
          '  - {host: tour.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}}',
        ),
        shows: /ingress\.networking\.k8s\.io\/shop/,
      },
      {
        say: 'It has an address.',
        run: "kubectl get ingress shop -n tour -o jsonpath='{.status.loadBalancer.ingress[0].ip}'",
        shows: /^\d+\.\d+\.\d+\.\d+/,
        withinSeconds: 90,
        needsContainers: true,
      },
      {
        say: 'Who asks the proxy for that host gets the shop.',
        run: 'kubectl exec asker -n tour -- timeout 3 wget -q -O - --header Host:tour.example http://nginx.app-routing-system',
        shows: /hello from shop-/,
        withinSeconds: 60,
        needsContainers: true,
      },
      {
        say: 'Another host gets nothing.',
        run: 'kubectl exec asker -n tour -- timeout 3 wget -q -O - --header Host:other.example http://nginx.app-routing-system',
        shows: /404/,
        fails: true,
        needsContainers: true,
      },
      {
        say: 'The add-on goes.',
        run: 'az aks approuting disable -g aksel -n demo --query ingressProfile.webAppRouting.enabled',
        shows: /false/,
        needsContainers: true,
      },
    ],
  },
]
