# static.json to rules inside nginx's server block. What would end a quoted string is refused.
def word: if type != "string" or test("[\\x00-\\x1f\"$;{}\\\\]") then error("'\(.)' is not allowed there") else . end;
def page: word | if startswith("/") then . else "/" + . end;
# A route's pattern (* and **) as a regular expression.
def pattern: word | gsub("(?<c>[.+?()|^\\[\\]])"; "\\\(.c)") | gsub("\\*\\*"; "\u0000") | gsub("\\*"; "[^/]*") | gsub("\u0000"; ".*");
(.error_page // empty | "error_page 404 \"\(page)\";"),
(.headers // {} | to_entries[] | .key as $path | .value | to_entries[] |
    if $path == "/**" then "add_header \"\(.key | word)\" \"\(.value | word)\" always;" else empty end),
((.routes // {}) as $routes |
    ($routes | to_entries | map(select(.key != "/**"))[] |
        "location ~ \"^\(.key | pattern)$\" { try_files $uri $uri/index.html \"\(.value | page)\"; }"),
    "location / { try_files $uri \(if .clean_urls == true then "$uri.html " else "" end)$uri/index.html \(
        if $routes["/**"] then "\"\($routes["/**"] | page)\"" else "=404" end); }")
