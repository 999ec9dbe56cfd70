<?php

/**
 * What Roundcube stores of somebody, address book, identities and settings, belongs to an account and not to its name:
 * users are known by the account's id, which is never given twice, and what no account owns any more is removed.
 *
 * Courier keeps every folder below "INBOX.", Dovecot keeps them at the top (RFC 2342, NAMESPACE).
 * Accounts may run either, so the names of the special folders follow what the account's server says at login.
 *
 * The pages for filters, vacation and forwarding are there for accounts that take Sieve scripts, and for no others.
 */
class mailpod extends rcube_plugin
{
    /** A line for each account, ID FILTERS NAME ADDRESS..., and of one that is deleted and may come back: ID. */
    private const TABLE = '/data/etc/tables/roundcube/identities';

    public $task = 'login|mail|settings';

    public function init()
    {
        $user = rcmail::get_instance()->get_user_name();
        if ($user && ($this->accounts()[$user][0] ?? null) === 'sieve') {
            $this->require_plugin('managesieve');
        }
        $this->add_hook('authenticate', [$this, 'log_in_by_id']);
        $this->add_hook('storage_connect', [$this, 'tell_address']);
        $this->add_hook('user_create', [$this, 'give_identities']);
        $this->add_hook('login_after', [$this, 'follow_namespace']);
    }

    public function log_in_by_id($args)
    {
        $accounts = $this->accounts();
        $this->forget_others(array_keys($accounts));

        // Nobody's login stays nobody's: the proxy refuses it, after its delay.
        $login = mb_strtolower($args['user']);
        $args['user'] = "_$login";
        foreach ($accounts as $id => [, $names]) {
            if (in_array($login, $names, true)) {
                $args['user'] = $id;
            }
        }

        return $args;
    }

    /** Who guesses passwords is slowed by the address of the browser (login_trusted_networks in dovecot.conf). */
    public function tell_address($args)
    {
        $args['preauth_ident'] = ['x-originating-ip' => $_SERVER['REMOTE_ADDR']];

        return $args;
    }

    public function give_identities($args)
    {
        [, $names] = $this->accounts()[$args['user']];
        $args['user_name'] = array_shift($names);
        $args['email_list'] = $names;

        return $args;
    }

    public function follow_namespace($args)
    {
        $rcmail = rcmail::get_instance();
        $prefix = (string) $rcmail->get_storage()->get_namespace('prefix');
        $changed = [];

        foreach (['drafts', 'sent', 'trash', 'junk', 'archive'] as $type) {
            $key = $type . '_mbox';
            $name = ucfirst($type);
            $current = (string) $rcmail->config->get($key, $name);
            if (in_array($current, ['', $name, 'INBOX.' . $name], true) && $current !== $prefix . $name) {
                $changed[$key] = $prefix . $name;
            }
        }
        if ($changed) {
            $rcmail->user->save_prefs($changed);
        }

        return $args;
    }

    /** By the id of each account, what its filters are written in, and its name and addresses. */
    private function accounts()
    {
        $lines = file(self::TABLE, FILE_IGNORE_NEW_LINES);
        // Unreadable is not empty: everybody's data would go.
        if ($lines === false) {
            throw new RuntimeException('cannot read ' . self::TABLE);
        }
        $accounts = [];
        foreach ($lines as $line) {
            $words = explode(' ', $line);
            $accounts[$words[0]] = [$words[1] ?? null, array_slice($words, 2)];
        }

        return $accounts;
    }

    /** Roundcube's tables follow that of the users (FOREIGN KEY, ON DELETE CASCADE). */
    private function forget_others($ids)
    {
        $db = rcmail::get_instance()->get_dbh();
        $db->query("DELETE FROM users WHERE username NOT IN ({$db->array2list($ids)})");
    }
}
