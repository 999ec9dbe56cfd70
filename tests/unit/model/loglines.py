"""Lines as main and accounts of both stacks have written them."""

MAIN = """\
2026-11-28T10:30:41.900000000Z Nov 28 10:30:41 mail postfix/smtpd[260]: connect from unknown[172.22.120.1]
2026-11-28T10:30:41.916486567Z Nov 28 10:30:41 mail postfix/smtpd[260]: 4jc64d6NXzzCSyy: client=unknown[172.22.120.1]
2026-11-28T10:30:41.917276293Z Nov 28 10:30:41 mail postfix/cleanup[435]: 4jc64d6NXzzCSyy: message-id=<in@test.invalid>
2026-11-28T10:30:41.950837632Z (rspamd_proxy) <3ae987>; proxy; rspamd_task_write_log: id: <in@test.invalid>, qid: <4jc64d6NXzzCSyy>, ip: 172.22.120.1, from: <someone@outside.test>, (default: F (no action): [1.50/20.00] [AUTH_NA(1.00){},MISSING_DATE(0.50){}]), len: 305, time: 0.581ms, dns req: 0, digest: <3ef7e308763ccbb7271af284d6133f69> rcpts: <alice@club.test>,  mime_rcpt: <alice@club.test>,
2026-11-28T10:30:41.955327738Z Nov 28 10:30:41 mail postfix/qmgr[261]: 4jc64d6NXzzCSyy: from=<someone@outside.test>, size=442, nrcpt=1 (queue active)
2026-11-28T10:30:42.068934942Z Nov 28 10:30:42 mail postfix/relay/smtp[436]: Verified TLS connection established to alice.mailpod.internal[172.22.124.0]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
2026-11-28T10:30:42.075133213Z Nov 28 10:30:42 mail postfix/relay/smtp[436]: 4jc64d6NXzzCSyy: to=<box@alice.club.test>, orig_to=<alice@club.test>, relay=alice.mailpod.internal[172.22.124.0]:25, delay=0.04, delays=0.02/0/0.01/0.01, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4jc64f0LPDzCT09)
2026-11-28T10:30:42.075748409Z Nov 28 10:30:42 mail postfix/qmgr[261]: 4jc64d6NXzzCSyy: removed
2026-11-28T10:30:42.520000000Z Nov 28 10:30:42 mail postfix/relay/smtp[436]: 4jc64f3LWfzCT0H: to=<box+tag@bob.club.test>, orig_to=<bob+tag@club.test>, relay=bob.mailpod.internal[172.22.124.1]:25, delay=0.07, delays=0.02/0/0.01/0.03, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4jc64f3hdlzCT0L)
2026-11-28T10:30:42.881963740Z Nov 28 10:30:42 mail postfix/smtpd[260]: NOQUEUE: reject: RCPT from unknown[172.22.120.1]: 550 5.1.1 <nobody@club.test>: Recipient address rejected: No such account here; from=<someone@outside.test> to=<nobody@club.test> proto=ESMTP helo=<[127.0.0.1]>
2026-11-28T10:30:42.923002835Z Nov 28 10:30:42 mail postfix/accounts/smtpd[259]: 4jc64f6YFJzCT0W: client=unknown[172.22.124.0], sasl_method=PLAIN, sasl_username=alice
2026-11-28T10:30:42.923511332Z Nov 28 10:30:42 mail postfix/cleanup[435]: 4jc64f6YFJzCT0W: message-id=<out@test.invalid>
2026-11-28T10:30:42.926403839Z (rspamd_proxy) <bccc1c>; proxy; rspamd_task_write_log: id: <out@test.invalid>, qid: <4jc64f6YFJzCT0W>, ip: 172.22.124.0, user: alice, from: <alice@club.test>, (default: F (no action): [0.00/20.00] [DKIM_SIGNED(0.00){club.test:s=rsa-20261128-103030;}]), len: 496, time: 2.075ms, dns req: 0
2026-11-28T10:30:42.927621081Z Nov 28 10:30:42 mail postfix/qmgr[261]: 4jc64f6YFJzCT0W: from=<alice@club.test>, size=878, nrcpt=3 (queue active)
2026-11-28T10:30:42.940000000Z Nov 28 10:30:42 mail postfix/smtp[438]: 4jc64f6YFJzCT0W: to=<erin@outside.test>, relay=mx.outside.test[198.19.225.2]:25, delay=0.02, delays=0.01/0/0.01/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as A26ED2FA0E7)
2026-11-28T10:30:42.944838200Z Nov 28 10:30:42 mail postfix/smtp[438]: 4jc64f6YFJzCT0W: to=<refused@outside.test>, relay=mx.outside.test[198.19.225.2]:25, delay=0.02, delays=0.01/0/0.01/0.01, dsn=5.1.1, status=bounced (host mx.outside.test[198.19.225.2] said: 550 5.1.1 <refused@outside.test>: Recipient address rejected: No such mailbox here (in reply to RCPT TO command))
2026-11-28T10:30:42.952423536Z Nov 28 10:30:42 mail postfix/bounce[441]: 4jc64f6YFJzCT0W: sender non-delivery notification: 4jc64f6jd8zCT0Y
2026-11-28T10:30:43.007218575Z Nov 28 10:30:43 mail postfix/smtp[438]: 4jc64f6YFJzCT0W: to=<later@outside.test>, relay=mx.outside.test[2001:db8:799e:75d9::2]:25, delay=0.04, delays=0/0/0.01/0.01, dsn=4.7.1, status=deferred (host mx.outside.test[2001:db8:799e:75d9::2] said: 451 4.7.1 <later@outside.test>: Recipient address rejected: Come back later (in reply to RCPT TO command))
2026-11-28T10:30:43.016486567Z Nov 28 10:30:43 mail postfix/smtpd[260]: 4jc64g060WzCT0W: client=unknown[172.22.120.1]
2026-11-28T10:30:43.017276293Z Nov 28 10:30:43 mail postfix/cleanup[435]: 4jc64g060WzCT0W: message-id=<gtube@test.invalid>
2026-11-28T10:30:43.018766072Z (rspamd_proxy) <294405>; proxy; rspamd_task_write_log: id: <gtube@test.invalid>, qid: <4jc64g060WzCT0W>, ip: 172.22.120.1, from: <spam@outside.test>, (default: S (reject): [20.00/20.00] [GTUBE(0.00){}]), len: 305, time: 0.581ms, dns req: 0
2026-11-28T10:30:43.019047371Z Nov 28 10:30:43 mail postfix/cleanup[435]: 4jc64g060WzCT0W: milter-reject: END-OF-MESSAGE from unknown[172.22.120.1]: 5.7.1 Gtube pattern; from=<spam@outside.test> to=<alice@club.test> proto=ESMTP helo=<[127.0.0.1]>
2026-11-28T10:30:43.019104556Z Nov 28 10:30:43 mail postfix/cleanup[435]: 4jc64g060WzCT0W: removed (canceled)
2026-11-28T10:35:27.819177506Z Nov 28 10:35:27 mail postfix/postsuper[589]: Requeued: 1 message
2026-11-28T10:35:27.907317502Z Nov 28 10:35:27 mail postfix/pickup[592]: 4jc6B76RJ4zCTHG: uid=201 from=<alice@club.test> orig_id=4jc64f6YFJzCT0W
2026-11-28T10:35:27.907924096Z Nov 28 10:35:27 mail postfix/cleanup[593]: 4jc6B76RJ4zCTHG: message-id=<out@test.invalid>
2026-11-28T10:35:27.908582576Z Nov 28 10:35:27 mail postfix/qmgr[261]: 4jc6B76RJ4zCTHG: from=<alice@club.test>, size=2180, nrcpt=1 (queue active)
2026-11-28T10:35:27.942990806Z Nov 28 10:35:27 mail postfix/smtp[581]: 4jc6B76RJ4zCTHG: to=<later@outside.test>, relay=mx.outside.test[2001:db8:799e:75d9::2]:25, delay=285, delays=285/0/0.03/0.01, dsn=4.7.1, status=deferred (host mx.outside.test[2001:db8:799e:75d9::2] said: 451 4.7.1 Come back later)
"""
RETURNED = """\
2026-11-28T10:37:50.100000000Z Nov 28 10:37:50 mail postfix/postsuper[661]: 4jc6B76RJ4zCTHG: placed on hold
2026-11-28T10:37:50.200000000Z Nov 28 10:37:50 mail postfix/postsuper[662]: 4jc6B76RJ4zCTHG: released from hold
2026-11-28T10:37:50.300000000Z Nov 28 10:37:50 mail postfix/postsuper[663]: 4jc6B76RJ4zCTHG: expired
2026-11-28T10:37:50.400000000Z Nov 28 10:37:50 mail postfix/qmgr[261]: 4jc6B76RJ4zCTHG: from=<alice@club.test>, size=2180, nrcpt=1 (queue active)
2026-11-28T10:37:50.500000000Z Nov 28 10:37:50 mail postfix/qmgr[261]: 4jc6B76RJ4zCTHG: from=<alice@club.test>, status=force-expired, returned to sender
2026-11-28T10:37:50.600000000Z Nov 28 10:37:50 mail postfix/bounce[582]: 4jc6B76RJ4zCTHG: sender non-delivery notification: 4jc6Dt4ZbDzCT58
2026-11-28T10:37:50.700000000Z Nov 28 10:37:50 mail postfix/qmgr[261]: 4jc6B76RJ4zCTHG: removed
"""
DROPPED = """\
2026-11-28T10:37:50.100000000Z Nov 28 10:37:50 mail postfix/postsuper[661]: 4jc6B76RJ4zCTHG: removed
2026-11-28T10:37:50.200000000Z Nov 28 10:37:50 mail postfix/postsuper[661]: Deleted: 1 message
"""
HELD = "2026-11-28T10:37:50.100000000Z Nov 28 10:37:50 mail postfix/postsuper[661]: 4jc6B76RJ4zCTHG: placed on hold\n"
ALICE = """\
2026-11-28T10:30:42.050253301Z Nov 28 10:30:42 alice postfix/smtpd[77]: 4jc64f0LPDzCT09: client=unknown[172.22.120.2]
2026-11-28T10:30:42.051092390Z Nov 28 10:30:42 alice postfix/cleanup[93]: 4jc64f0LPDzCT09: message-id=<in@test.invalid>
2026-11-28T10:30:42.052053652Z Nov 28 10:30:42 alice postfix/qmgr[75]: 4jc64f0LPDzCT09: from=<someone@outside.test>, size=841, nrcpt=1 (queue active)
2026-11-28T10:30:42.089862646Z Nov 28 10:30:42 lmtp(box@alice.club.test)<95><FjT4BFKtCmtfAAAAmRmghw>: Info: sieve: msgid=<in@test.invalid>: stored mail into mailbox 'INBOX'
2026-11-28T10:30:42.090255210Z Nov 28 10:30:42 alice postfix/lmtp[94]: 4jc64f0LPDzCT09: to=<box@alice.club.test>, relay=alice.club.test[/run/dovecot/lmtp], delay=0.07, delays=0.03/0.01/0.02/0.01, dsn=2.0.0, status=sent (250 2.0.0 <box@alice.club.test> FjT4BFKtCmtfAAAAmRmghw Saved)
2026-11-28T10:30:42.090949274Z Nov 28 10:30:42 alice postfix/qmgr[75]: 4jc64f0LPDzCT09: removed
2026-11-28T10:30:42.913585771Z Nov 28 10:30:42 alice postfix/submissions/smtpd[96]: 4jc64f6TjbzCT0P: client=unknown[2001:db8:ef4:242e::2], sasl_method=PLAIN, sasl_username=box
2026-11-28T10:30:42.914490078Z Nov 28 10:30:42 alice postfix/cleanup[93]: 4jc64f6TjbzCT0P: message-id=<out@test.invalid>
2026-11-28T10:30:42.915505580Z Nov 28 10:30:42 alice postfix/qmgr[75]: 4jc64f6TjbzCT0P: from=<alice@club.test>, size=473, nrcpt=3 (queue active)
2026-11-28T10:30:42.928051923Z Nov 28 10:30:42 alice postfix/smtp[97]: 4jc64f6TjbzCT0P: to=<erin@outside.test>, relay=main.mailpod.internal[172.22.120.2]:10025, delay=0.01, delays=0/0/0.01/0.01, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4jc64f6YFJzCT0W)
2026-11-28T10:30:42.929015909Z Nov 28 10:30:42 alice postfix/qmgr[75]: 4jc64f6TjbzCT0P: removed
"""
FORWARDED = """\
2026-11-28T10:37:47.100000000Z Nov 28 10:37:47 alice postfix/cleanup[93]: 4jc6Dq1tsVzCT2x: message-id=<fwd@test.invalid>
2026-11-28T10:37:47.200000000Z Nov 28 10:37:47 alice postfix/lmtp[283]: 4jc6Dq1tsVzCT2x: to=<box@alice.club.test>, relay=alice.club.test[/run/dovecot/lmtp], delay=0.33, delays=0.1/0.06/0.02/0.15, dsn=2.0.0, status=sent (250 2.0.0 <box@alice.club.test> 1AaDFPuuCmsfAQAAmRmghw Saved)
2026-11-28T10:37:47.300000000Z Nov 28 10:37:47 lmtp(box@alice.club.test)<287><1AaDFPuuCmsfAQAAmRmghw>: Info: sieve: msgid=<fwd@test.invalid>: redirect action: forwarded to <erin@outside.test>
2026-11-28T10:37:47.400000000Z Nov 28 10:37:47 alice postfix/pickup[298]: 4jc6Dq3bn6zCT3t: uid=1000 from=<alice@club.test>
2026-11-28T10:37:47.500000000Z Nov 28 10:37:47 alice postfix/cleanup[93]: 4jc6Dq3bn6zCT3t: message-id=<fwd@test.invalid>
2026-11-28T10:37:47.600000000Z Nov 28 10:37:47 alice postfix/smtp[300]: 4jc6Dq3bn6zCT3t: to=<erin@outside.test>, relay=main.mailpod.internal[172.22.120.2]:10025, delay=0.18, delays=0.12/0.05/0.01/0.01, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4jc6Dq435ZzCSrL)
"""
BOB = """\
2026-11-28T10:30:42.521340986Z Nov 28 10:30:42 bob postfix/smtpd[92]: 4jc64f3hdlzCT0L: client=unknown[172.22.120.2]
2026-11-28T10:30:42.523126275Z Nov 28 10:30:42 bob postfix/cleanup[105]: 4jc64f3hdlzCT0L: message-id=<tag@test.invalid>
2026-11-28T10:30:42.547284145Z INFO: LOGIN, user=box, ip=[2001:db8:ef4:242e::2], port=[55934], protocol=IMAP, starttls=1
2026-11-28T10:30:42.548616033Z Nov 28 10:30:42 bob postfix/pipe[106]: 4jc64f3hdlzCT0L: to=<box+tag@bob.club.test>, relay=mda, delay=0.05, delays=0.03/0.01/0/0.01, dsn=2.0.0, status=sent (delivered via mda service)
2026-11-28T10:30:42.548626929Z Nov 28 10:30:42 bob postfix/qmgr[87]: 4jc64f3hdlzCT0L: removed
"""
