-- By what a password is known again: too little to find it out, with a salt that lies in memory alone.
local digits = 5

-- digest(SALT): a function that gives the digest of the password in Dovecot's request. SALT is a file, made if it is missing.
return function(path)
  local file = io.open(path, "r")
  if not file then
    local random = io.open("/dev/urandom", "rb"):read(16):gsub(".", function(byte)
      return ("%02x"):format(byte:byte())
    end)
    file = io.open(path, "w+")
    file:write(random)
    file:seek("set", 0)
  end
  local template = ("%%{password | sha256(salt='%s') | hexlify}"):format(file:read("l"))
  file:close()
  return function(request)
    return request:var_expand(template):sub(1, digits)
  end
end
