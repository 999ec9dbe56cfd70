<?php

/**
 * Courier keeps every folder below "INBOX.", Dovecot keeps them at the top (RFC 2342, NAMESPACE).
 * Accounts may run either, so the names of the special folders follow what the account's server says at login.
 */
class mailpod extends rcube_plugin
{
    public $task = 'login';

    public function init()
    {
        $this->add_hook('login_after', [$this, 'follow_namespace']);
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
}
