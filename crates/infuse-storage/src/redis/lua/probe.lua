-- Does all kinds of writes that verbs do: a storage that allows some of them only is lost, and must
-- not seem to be found again. The first takes memory and replaces whatever is there: a server that
-- is full refuses no other after it.
redis.call('SET', KEYS[1], '1')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'probe', '1', 'other', '1')
redis.call('HDEL', KEYS[1], 'other')
redis.call('PEXPIRE', KEYS[1], 1000)
return 1
