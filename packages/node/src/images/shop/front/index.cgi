#!/bin/sh
# The shop's page, made of what the API says at this moment. POST item=NAME orders first.
api=${API_URL:-http://shop-api:8080}

page() { # status, HTML
  printf 'Status: %s\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\r\n' "$1"
  printf '<!doctype html><title>%s</title><h1>%s</h1>%s<p><small>front end %s</small></p>\n' \
    "${SHOP_TITLE:-Shop}" "${SHOP_TITLE:-Shop}" "$2" "$(hostname)"
  exit 0
}

field() { # name of a string or a number in $state
  printf '%s' "$state" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

if [ "$REQUEST_METHOD" = POST ]; then
  body=$(head -c "${CONTENT_LENGTH:-0}")
  timeout 6 wget -q -O /dev/null --post-data "$body" "$api/cgi-bin/orders" ||
    page '502 Bad Gateway' '<p>The order was not taken.</p>'
fi

state=$(timeout 6 wget -q -O - "$api/cgi-bin/orders") || page '502 Bad Gateway' '<p>The API does not answer.</p>'
catalogue=$(printf '%s' "$state" | sed -n 's/.*"catalogue":"\([^"]*\)".*/\1/p')
buttons=$(printf '%s' "$catalogue" | tr ',' '\n' | while read -r item || [ -n "$item" ]; do
  printf '<button name="item" value="%s">%s</button> ' "$item" "$item"
done)
page '200 OK' "<form method=\"post\" action=\"/\">$buttons</form><p>Orders: <b>$(field count)</b></p>
<p><small>API $(field api), store $(printf '%s' "$state" | sed -n 's/.*"store":{"store":"\([^"]*\)".*/\1/p')</small></p>"
