/**
 * Words by which a sentence claims something that must not come from the model alone. English and Chinese, because
 * answers are written in both. Where one of them is found, it has to stand in what the sentence cites, too.
 */

/** What each cause is called in prose. A cause that no rule found cannot be brought in by another name. */
export const CAUSE_WORDS: Readonly<Record<string, RegExp>> = {
  'allocator-retention': /\b(?:malloc|allocator|fragment(?:ed|ation)|arena)\b|分配器|碎片/i,
  'buffered-download': /\bdownload(?:s|ed|ing)?\b|下载/i,
  'busy-loop': /\b(?:busy loop|infinite loop|endless loop|spin(?:s|ning)?)\b|死循环|空转/i,
  'cpu-throttled': /\bthrottl(?:ed|ing|es)\b|\bquota\b|限流|配额/i,
  'db-lock-wait': /\b(?:database lock|row lock|table lock|transaction)\b|数据库锁|行锁|事务/i,
  'disk-full': /\b(?:disk (?:is )?full|no space|out of space)\b|磁盘(?:已)?满|空间不足/i,
  'dns-stall': /\b(?:dns|resolver|name lookups?)\b|域名|解析/i,
  'event-loop-blocked': /\bevent loop\b|事件循环/i,
  'fd-leak':
    /\b(?:descriptor leak|fd leak|too many open files|leak(?:s|ed|ing)? (?:file )?descriptors)\b|(?:描述符|句柄)泄漏/i,
  'file-lock-wait': /\b(?:file lock|flock|lock file)\b|文件锁/i,
  'gc-disabled-cycles': /\b(?:garbage collector|reference cycles?|gc is (?:off|disabled))\b|垃圾回收|循环引用/i,
  'gil-contention': /\b(?:gil|interpreter lock)\b/i,
  'import-deadlock': /\bimport (?:lock|deadlock)\b|导入锁/i,
  'inherited-signal-handlers': /\binherited (?:signal )?handlers?\b|继承的信号/i,
  'io-stall': /\b(?:storage|disk|nfs) (?:is )?(?:stalled|stalls|hangs|slow)\b|磁盘(?:卡|慢)/i,
  'lock-across-fork': /\b(?:held (?:over|across) (?:a )?fork|fork(?:ed)? while)\b|fork\s*时(?:持有|锁)/i,
  'native-crash': /\b(?:segfaults?|segmentation faults?|crash(?:es|ed|ing)?|core dumps?)\b|段错误|崩溃/i,
  'native-memory-growth': /\bnative (?:memory|heap) (?:leak|grow\w*)\b|原生内存/i,
  'oom-killed': /\b(?:oom|out of memory|out-of-memory)\b|内存不足|被.{0,4}杀/i,
  'pipe-deadlock': /\bpipe (?:deadlock|is full)\b|管道(?:死锁|满)/i,
  'process-stopped': /\b(?:sigstop|was stopped|is stopped|frozen|suspended)\b|被暂停|被冻结/i,
  'python-heap-growth': /\b(?:memory leak|heap grows|leak(?:s|ed|ing)? memory|heap growth)\b|内存泄漏/i,
  'refcount-corruption': /\b(?:refcounts?|reference counts?|corrupt(?:s|ed|ion)?)\b|引用计数|破坏/i,
  'regex-backtracking': /\b(?:regex(?:p)?|regular expressions?|backtrack\w*)\b|正则|回溯/i,
  'signal-handler-deadlock': /\b(?:signal handlers?|re-?entr\w+)\b|信号处理/i,
  'signal-storm': /\b(?:signal storm|flood of signals)\b|信号风暴/i,
  'socket-leak':
    /\b(?:close[-_ ]wait|socket leak|connection leak|leak(?:s|ed|ing)? (?:sockets|connections))\b|(?:套接字|连接)泄漏/i,
  'swap-thrash': /\b(?:swap(?:s|ped|ping)?|thrash\w*)\b|交换分区|换页/i,
  'thread-deadlock': /\bdeadlock(?:s|ed)?\b|死锁/i,
  'thread-leak': /\b(?:thread leak|leak(?:s|ed|ing)? threads)\b|线程泄漏/i,
  'zombie-children': /\b(?:zombies?|defunct)\b|僵尸/i,
};

/** That something is wrong at all; not to be said of a process that the rules find healthy. */
export const FAULT_WORDS =
  /\b(?:unhealthy|not healthy|sick|broken|stuck|hung|hangs?|faulty|failing|leak(?:s|ing)?|crash\w*|deadlock\w*|overload\w*|corrupt\w*|bug)\b|异常|故障|卡住|挂起|泄漏|崩溃|死锁|有问题/i;

/** That nothing is wrong; not to be said where the rules found a fault. */
export const HEALTHY_WORDS =
  /\b(?:is healthy|looks healthy|perfectly healthy|nothing (?:is )?wrong|no (?:problem|fault|issue)s?|all good|(?:is|looks|runs) well|in order|works? (?:fine|normally|as expected)|is fine|false alarm)\b|没有(?:问题|异常|故障)|一切正常|健康|误报/i;

/** More sure than the rules are. */
export const CERTAIN_WORDS =
  /\b(?:certain(?:ly)?|definite(?:ly)?|undoubtedly|beyond (?:any )?doubt|without (?:a )?doubt|proves?|proven|guaranteed?|obviously|clearly|always|never|absolutely|must be|100 ?%)\b|一定是|肯定|毫无疑问|必然|绝对|显然|百分之百/i;

/** What is safe to do, or not. Whoever restarts a process on such a word trusts it: only the rules' own words can say so. */
export const SAFE_WORDS =
  /\b(?:safe(?:ly|r|st)?|unsafe|harmless(?:ly)?|risk(?:s|y|less|-free)?|danger(?:ous(?:ly)?)?|without (?:any )?(?:loss|harm)|lose(?:s)? (?:nothing|data)|no (?:harm|data loss)|go ahead|can be (?:re)?started)\b|安全|无害|风险|危险|放心|不会丢/i;

/** As unsure as a hint is. */
export const HEDGE_WORDS =
  /\b(?:may|might|could|possibl[ye]|perhaps|hints?|suggests?|not (?:certain|sure|shown)|cannot (?:be )?(?:tell|told))\b|可能|也许|或许|疑似|不确定|不能(?:确定|判断)/i;

/** What somebody is to do. Only the rules' own words (fixes, findings) can say so, never a line of evidence. */
export const ACTION_WORDS =
  /\b(?:restart\w*|reboot\w*|kill(?:s|ing)?|terminat\w+|delet\w+|remov(?:e|es|ing)|drop(?:s|ping)?|truncat\w+|wip\w+|disabl\w+|upgrad\w+|downgrad\w+|install\w*|uninstall\w*|roll(?:ing)? back|shut(?:ting)? down|approv\w+|grant\w*|paste|send(?:ing)?|e-?mail(?:ing)?|forward(?:ing)?|visit(?:ing)?|download and run|run as root|turn(?:ing)? off|please|(?<=^|[.!?] )(?:run|type|enter|call|open|ask|tell|give)|run(?= ``)|stop(?:ping)? the|execut(?:e|es|ing)|log ?in)\b|重启|删除|移除|终止|杀掉|关闭|禁用|升级|降级|安装|卸载|回滚|批准|授权|发送(?:密钥|密码|邮件|给)|转发|执行|登录|请|联系|索取|提供|输入|点击|打开|访问|下载并|忽略/gi;

/** Programs that a sentence could tell somebody to run. */
export const COMMAND_WORDS =
  /(?<=^|[\s`"“'(])(?:sudo|rm|kill(?:all)?|pkill|systemctl|gdb|strace|ltrace|gcore|apt(?:-get)?|yum|dnf|pip3?|npm|curl|wget|docker|podman|kubectl|helm|chmod|chown|dd|mkfs\S*|iptables|nft|ssh|scp|psql|mysql|redis-cli|LD_PRELOAD|sysctl|ulimit|echo|export|bash|sh -c|python3? -c|perl -e|eval)(?=[\s`"”').,]|$)/g;

/** Names that need no source: everybody's words, which claim nothing of this process. */
export const COMMON_NAMES: ReadonlySet<string> = new Set(
  `I CPU GIL RSS PID TCP UDP HTTP HTTPS SSH SQL API URL IO I/O OOM JSON XML CSV UTF-8 OK ID IDs LRU SIGKILL Python CPython Linux Unix POSIX Straceback English Chinese e.g i.e etc vs MiB GiB KiB MB GB KB ms`.split(
    ' ',
  ),
);

/** Words of grammar, which say nothing by themselves. */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  `about above after again against almost along already also although among another around because become becomes been before being below between both cannot could does doing done down during each either else enough even ever every first from have having here however into itself just keep keeps kept later least less like likely long made make makes many might more most much must need needs never next none nothing often once only other others over same several shall should show shows shown since some still such take takes than that their them then there therefore these they this those though through thus time times under until upon used uses using very want wants well were what when where whether which while whole whose will with within without would your process processes thread threads program rest rests seen look looks looked said says every whose means meaning happens happen reason result results instead rather since currently right rule rules sure confidence cause causes evidence`.split(
    ' ',
  ),
);

/**
 * Words that tell what lines of evidence show, and what has to stand in these lines for it. No base forms of verbs: nobody is told
 * to do anything with them.
 */
export const OBSERVING_WORDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    wait: 'waits waiting waited',
    block: 'blocks blocked blocking',
    sleep: 'sleeps sleeping slept',
    hold: 'holds holding',
    held: 'held',
    lock: 'lock locks locked',
    acquire: 'acquires acquired acquiring',
    listen: 'listens listening',
    connect: 'connected connects connection connections',
    estab: 'established',
    read: 'reads reading',
    writ: 'writes writing written',
    open: 'opened opens',
    run: 'runs running',
    call: 'called calls calling',
    line: 'line lines',
    file: 'file files',
    socket: 'socket sockets',
    stack: 'stack stacks',
    frame: 'frame frames',
    queue: 'queue queues',
    handler: 'handler handlers',
  }).flatMap(([root, words]) => words.split(' ').map((word): [string, string] => [word, root])),
);

/** Number words and what they are; "one" is an article as often as a number. */
export const NUMBER_WORDS: ReadonlyMap<string, string> = new Map([
  ['two', '2'],
  ['three', '3'],
  ['four', '4'],
  ['five', '5'],
  ['six', '6'],
  ['seven', '7'],
  ['eight', '8'],
  ['nine', '9'],
  ['ten', '10'],
  ['eleven', '11'],
  ['twelve', '12'],
  ['twenty', '20'],
  ['thirty', '30'],
  ['forty', '40'],
  ['fifty', '50'],
  ['hundred', '100'],
  ['thousand', '1000'],
  ['million', '1000000'],
  ['dozen', '12'],
  ['两', '2'],
  ['二', '2'],
  ['三', '3'],
  ['四', '4'],
  ['五', '5'],
  ['六', '6'],
  ['七', '7'],
  ['八', '8'],
  ['九', '9'],
  ['十', '10'],
]);

/** What added lines of a diff may use beside what the source and the fix have: Python's own words. */
export const PYTHON_WORDS: ReadonlySet<string> = new Set(
  `and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield True False None self cls len range int str bytes list dict set tuple open print enumerate zip sorted min max sum any all isinstance getattr hasattr super threading Lock RLock Event Queue queue os sys signal time logging close read write append pop get items keys values join start timeout`.split(
    ' ',
  ),
);
