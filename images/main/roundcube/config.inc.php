<?php

// Logins and mail go through this container's own proxy, so an account is reached in one way only.
// The certificate names the proxy, not the loopback it is reached by.
$tls = ['ssl' => [
    'cafile' => '/data/etc/tls/ca.pem',
    'peer_name' => 'main.mailpod.internal',
    'verify_peer' => true,
    'verify_peer_name' => true,
]];

$config = [
    'product_name' => 'mailpod',
    'support_url' => '',
    'enable_installer' => false,
    'des_key' => trim(file_get_contents('/data/roundcube/des_key')),
    'db_dsnw' => 'sqlite:////data/roundcube/db.sqlite?mode=0600',
    'temp_dir' => '/data/roundcube/temp',
    'log_driver' => 'stdout',
    'log_logins' => true,

    'imap_host' => 'ssl://localhost:993',
    'imap_conn_options' => $tls,
    'smtp_host' => 'ssl://localhost:465',
    'smtp_conn_options' => $tls,
    'managesieve_host' => 'tls://localhost:4190',
    'managesieve_conn_options' => $tls,
    'smtp_user' => '%u',
    'smtp_pass' => '%p',
    'login_username_filter' => '/^[A-Za-z0-9.@_-]+$/',
    'login_lc' => 2,
    'username_domain' => '',
    'session_lifetime' => 60,
    'ip_check' => false,
    'use_https' => true,
    'login_rate_limit' => 10,

    'plugins' => ['archive', 'zipdownload', 'markasjunk', 'attachment_reminder', 'newmail_notifier', 'emoticons',
        'vcard_attachments', 'mailpod'],

    'managesieve_vacation' => 1,
    'managesieve_forward' => 1,
    'managesieve_script_name' => 'webmail',

    'drafts_mbox' => 'Drafts',
    'sent_mbox' => 'Sent',
    'trash_mbox' => 'Trash',
    'junk_mbox' => 'Junk',
    'create_default_folders' => false,

    'language' => null,
    'skin' => 'elastic',
    'max_message_size' => '36M',
    'enable_spellcheck' => false,
    'identities_level' => 0,
    'mime_types' => '/etc/mime.types',
    'refresh_interval' => 60,
];
