# Sent over an exec session and run there, never stored (dialogue.rs). It answers in lines that begin
# with the nonce. Nothing is switched before everything is there and nginx accepts it.
umask 077
exec 3>&1
say() { printf '%s %s\n' @NONCE@ "$*" >&3; }
refuse() {
    say refused "$(printf %s "$*" | tr '\r\n' '  ')"
    exit 1
}
report() { say live "$(cat live/generation)" "$(base64 <live/tls.crt | tr -d '\n')"; }

# Decodes lines up to a lone dot into $1, which must come out $2 bytes long.
receive() {
    while IFS= read -r line; do
        case $line in
        .) break ;;
        +) say more ;;
        *) printf '%s\n' "$line" ;;
        esac
    done | base64 -d >"$1"
    [ "$(wc -c <"$1")" -eq "$2" ] || refuse "$1 did not arrive whole"
}

for tool in cat chmod cp ln mkdir mv nginx readlink rm tr wc; do
    command -v $tool >/dev/null || { say missing $tool; exit 1; }
done
cd @STATE@ && [ -f live/nginx.conf ] || refuse 'the sidecar has not started'

set -- @ARGUMENTS@
case @VERB@ in
trial)
    test=$(nginx -t -q -c @STATE@/live/nginx.conf 2>&1) || refuse "$test"
    mkdir pair-@NONCE@ && rm -r pair-@NONCE@ || refuse 'the live directory cannot be written'
    lossless=lossy
    while read -r directive _; do
        [ "$directive" != keepalive_min_timeout ] || lossless=lossless
    done <live/nginx.conf
    say available $lossless
    ;;
read-back) report ;;
publish)
    new=@ORIGINS@/new-@NONCE@
    trap 'rm -f "$new"' EXIT
    rm -f @ORIGINS@/new-*
    printf "" >"$new" || refuse 'the volume of the origins cannot be written'
    say listening
    receive "$new" "$1"
    # The application is another user, and must find the old file or the new one.
    chmod 644 "$new" && mv -f "$new" @ORIGINS@/origins || refuse 'cannot switch the origins'
    say published
    ;;
swap)
    new=pair-@NONCE@ live=$(readlink live)
    trap 'exit 1' HUP INT TERM
    trap 'rm -rf "$new"' EXIT
    for old in pair-*; do [ "$old" = "$live" ] || rm -rf "$old"; done
    mkdir "$new" && cp live/nginx.conf "$new/" || refuse 'the live directory cannot be written'
    say listening
    receive "$new/tls.crt" "$1"
    receive "$new/tls.key" "$2"
    echo "$3" >"$new/generation"
    test=$(nginx -t -q -c "@STATE@/$new/nginx.conf" 2>&1) || refuse "$test"
    # From here on the end of the session must neither stop this nor take the new pair away.
    trap - EXIT
    trap '' HUP INT TERM
    # An old BusyBox has no -T: then a crash in one instant starts from the volume's pair.
    ln -sfn "$new" next && mv -T next live 2>/dev/null || ln -sfn "$new" live || refuse 'cannot switch'
    test=$(nginx -c @STATE@/live/nginx.conf -s reload 2>&1) || refuse "$test"
    report
    ;;
esac
