-- What ClamAV has found a virus in is refused. Not so a report of ours, which holds the message that it is about: refused as well, it
-- would tell nobody.
local function is_our_report(task)
  local daemon = tostring(task:get_request_header('MTA-Name'))
  local sender = (task:get_from('smtp') or {})[1]
  return (daemon == 'accounts' or daemon == 'main') and (sender == nil or (sender.addr or '') == '')
end

rspamd_config:register_symbol({
  name = 'INFECTED',
  type = 'postfilter',
  callback = function(task)
    local found = task:get_symbol('CLAM_VIRUS')
    if found and not is_our_report(task) then
      local names = table.concat(found[1].options or {}, ', ')
      task:set_pre_result('reject', 'This message holds a virus: ' .. names, 'mailpod')
    end
  end,
})
