// Which routes of a host are told of as standing before its cluster's overlay.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { routesBefore } from './overlay-end.ts'

test("a host's own route to the cluster's network or to a part of it is told of, and no wider or other one", () => {
  const shown = `default via 192.168.77.1 dev eth0
10.0.0.0/8 via 192.168.77.9 dev eth0
10.224.0.0/12 via 192.168.77.9 dev eth0
10.230.1.7 dev tun0 scope link
unreachable 10.231.0.0/16
10.244.3.0/24 dev docker1  proto kernel  scope link  src 10.244.3.1 linkdown
10.240.0.0/12 dev eth1
192.168.77.0/24 dev eth0 proto kernel scope link src 192.168.77.2
`
  assert.deepEqual(
    routesBefore(shown, ['10.244.0.0/16', '10.224.0.0/12']).map(({ prefix, route }) => `${prefix}: ${route}`),
    [
      '10.244.0.0/16: 10.244.3.0/24 dev docker1 proto kernel scope link src 10.244.3.1 linkdown',
      '10.224.0.0/12: 10.224.0.0/12 via 192.168.77.9 dev eth0',
      '10.224.0.0/12: 10.230.1.7 dev tun0 scope link',
      '10.224.0.0/12: unreachable 10.231.0.0/16',
    ],
  )
  assert.deepEqual(routesBefore('', ['10.224.0.0/12']), [])
})
