-- KEYS: the group, a hash. ARGV: who, for how long it holds, and what.
-- A participant has two fields: its id, with what it says; and `t` before its id, with the times
-- alone, so that nobody reads all texts to find what has ended. `ids` are those that may be there.
local key, who, lasting, text = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]

-- A server's clock may go back: what was said later than now holds only if that is not long.
local function holds(times)
  local at, lasting = (times or ''):match('^(%d+):(%d+):$')
  return at and #at <= 16 and #lasting <= 16
    and math.abs(now - tonumber(at)) < tonumber(lasting)
end

-- Reads a field. A key of another type is deleted; any other error fails the script.
local function read(field)
  local found = redis.pcall('HMGET', key, field)
  if not found.err then return found[1] end
  if found.err:find('WRONGTYPE', 1, true) then
    redis.call('DEL', key)
  else
    redis.call('HMGET', key, field)
  end
end

-- There is one at least, unless there is nothing yet. If it is rubbish all goes: the others will
-- speak again.
local function read_ids()
  local ids = read('ids')
  if ids and ids:find('^[0-9a-f][0-9a-f ]+$') then return ids end
  redis.call('DEL', key)
  return ''
end

-- Drops what has ended of these. What is left, and whether this one is.
local function sweep(ids)
  local left, seen = {}, {}
  for id in ids:gmatch('[^ ]+') do
    if not seen[id] then
      seen[id] = holds(read('t' .. id)) and 'left' or 'gone'
      if seen[id] == 'left' then
        left[#left + 1] = id .. ' '
      else
        redis.call('HDEL', key, id, 't' .. id)
      end
    end
  end
  redis.call('HSET', key, 'swept', string.format('%.0f', now))
  return table.concat(left), seen[who] == 'left'
end

-- Not each time: there may be many.
local swept = read('swept')
swept = swept and swept:find('^%d+$') and #swept <= 16 and tonumber(swept)
local ids, known
if swept and math.abs(now - swept) < lasting then
  known = read('t' .. who)
  ids = not known and read_ids()
else
  ids, known = sweep(read_ids())
end
if not known then ids = ids .. who .. ' ' end
if ids then redis.call('HSET', key, 'ids', ids) end

local times = string.format('%.0f:%.0f:', now, lasting)
redis.call('HSET', key, 't' .. who, times, who, times .. text)
local expiry = math.ceil(lasting / 1000)
if redis.call('PTTL', key) < expiry then redis.call('PEXPIRE', key, expiry) end
return 1
