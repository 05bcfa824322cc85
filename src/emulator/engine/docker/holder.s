# The only program of the holder image. Linux, x86-64, no library.
#
#   holder                          waits for ever: the network namespace lives as long as it does
#   holder PORT SECONDS REQUEST     sends REQUEST to 127.0.0.1:PORT inside that namespace, prints the
#                                   first part of the answer (up to 1 KiB), gives up after SECONDS
#
# Ends with 0 when something was answered, else with 1 (or by SIGALRM).

        .intel_syntax noprefix
        .globl  _start
_start: mov     rbp, rsp                # [rbp] argc, [rbp+16] argv[1], ...
        cmp     dword ptr [rbp], 1
        jne     probe

wait:   push    34                      # pause()
        pop     rax
        syscall
        jmp     wait

probe:  mov     rsi, [rbp+24]           # alarm(SECONDS)
        call    number
        xchg    edi, eax
        push    37
        pop     rax
        syscall

        mov     rsi, [rbp+16]           # struct sockaddr_in on the stack
        call    number
        xchg    ah, al                  # port, big endian
        shl     eax, 16
        or      eax, 2                  # AF_INET
        movabs  rcx, 0x0100007f00000000 # 127.0.0.1
        or      rax, rcx
        push    0
        push    rax

        push    41                      # socket(AF_INET, SOCK_STREAM, 0)
        pop     rax
        push    2
        pop     rdi
        push    1
        pop     rsi
        xor     edx, edx
        syscall

        xchg    edi, eax                # connect(fd, address, 16)
        mov     rsi, rsp
        push    16
        pop     rdx
        push    42
        pop     rax
        syscall
        test    eax, eax
        jnz     fail

        mov     rsi, [rbp+32]           # write(fd, REQUEST, its length)
        xor     edx, edx
length: cmp     byte ptr [rsi+rdx], 0
        je      send
        inc     edx
        jmp     length
send:   push    1
        pop     rax
        syscall

        sub     rsp, 1024               # read(fd, buffer, 1024)
        mov     rsi, rsp
        mov     edx, 1024
        xor     eax, eax
        syscall
        test    eax, eax
        jle     fail

        xchg    edx, eax                # write(1, buffer, what was read)
        push    1
        pop     rdi
        push    1
        pop     rax
        syscall
        xor     edi, edi                # exit(0)
        jmp     exit

fail:   push    1                       # exit(1)
        pop     rdi
exit:   push    60
        pop     rax
        syscall

number: xor     eax, eax                # decimal digits at rsi, into eax
digit:  movzx   ecx, byte ptr [rsi]
        sub     ecx, 48
        js      done
        imul    eax, eax, 10
        add     eax, ecx
        inc     rsi
        jmp     digit
done:   ret
