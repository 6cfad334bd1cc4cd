"""Where CPython keeps what: offsets in bytes of the fields that are read, by minor version, 64-bit builds.

How they were checked: printed by gdb from the debug information of real interpreters (`p &((T *)0)->field`), 2.7.18,
3.6.15, 3.7.16, 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1 and 3.13.0 on x86-64, and Debian's 3.11.2 and 3.14.8; a test
does so again where such interpreters are installed. Stacks were read with them from these and from Debian's 2.7.18,
3.9.2, 3.13.5 and 3.13.15. On aarch64 the same C declarations give the same offsets (LP64, natural alignment).

Each part holds from one version to another; where they stayed the same for long, they stand once.
"""

PARTS = (
    ((2, 7), (3, 14), '''
    PyCFunctionObject m_ml=16 m_self=24
    PyCellObject ob_ref=16
    PyListObject ob_item=24 allocated=32
    PyMemberDef size=40 name=0 type=8 offset=16
    PyMethodDef ml_name=0
    PyMethodObject im_func=16 im_self=24
    PyModuleObject md_dict=16
    PyObject ob_refcnt=0 ob_type=8
    PySetObject used=24 mask=32 table=40
    PyTypeObject tp_name=24 tp_basicsize=32 tp_itemsize=40 tp_flags=168 tp_weaklistoffset=208 tp_members=240
    PyTypeObject tp_base=256 tp_dict=264 tp_dictoffset=288
    PyVarObject ob_size=16
    PyWeakReference wr_object=16
    '''),
    ((3, 6), (3, 14), '''
    PyASCIIObject length=16 state=32
    PyBytesObject ob_sval=32
    PyDictObject ma_used=16 ma_keys=32 ma_values=40
    PyThreadState next=8 interp=16
    dequeobject leftblock=24 leftindex=40
    '''),
    ((3, 7), (3, 14), '''
    lru_cache_object cache=72 func=88 maxsize=96
    '''),
    ((3, 8), (3, 14), '''
    PyGC_Head size=16
    gc_generation size=24 threshold=16 count=20
    '''),
    ((3, 6), (3, 10), '''
    PyASCIIObject size=48
    PyCodeObject co_argcount=16
    PyCompactUnicodeObject size=72
    PyDictKeysObject dk_size=8 dk_nentries=32 dk_indices=40
    PyFrameObject f_back=24 f_code=32 f_valuestack=64
    PyGenObject gi_frame=16
    PyInterpreterState next=0 tstate_head=8
    PyLongObject ob_digit=24
    PyThreadState frame=24
    PyTryBlock size=12 b_type=0 b_level=8
    PyTupleObject ob_item=24
    PyUnicodeObject data=72
    lockobject lock_lock=16
    rlockobject rlock_lock=16 rlock_owner=24 rlock_count=32
    '''),
    ((3, 11), (3, 14), '''
    PyCodeObject co_flags=48 co_filename=112 co_name=120 co_qualname=128 co_linetable=136 co_exceptiontable=40
    PyCodeObject co_nlocals=80 co_localsplusnames=96
    PyDictKeysObject dk_log2_size=8 dk_log2_index_bytes=9 dk_kind=10 dk_nentries=24 dk_indices=32
    PyFrameObject f_back=16 f_frame=24
    PyFunctionObject func_name=32 func_globals=16 func_code=48 func_defaults=56 func_kwdefaults=64 func_closure=72
    PyFunctionObject func_dict=88 func_module=104
    _PyStackChunk previous=0 top=16 data=24
    '''),
    ((3, 12), (3, 14), '''
    PyASCIIObject size=40
    PyCodeObject co_argcount=52 co_kwonlyargcount=60 co_firstlineno=68 co_nlocalsplus=72 co_stacksize=64
    PyCompactUnicodeObject size=56
    PyGenObject gi_iframe=72
    PyHeapTypeObject ht_cached_keys=880
    PyLongObject long_value.lv_tag=16 long_value.ob_digit=24
    PyThreadState id=224 datastack_chunk=232 datastack_top=240
    PyUnicodeObject data=56
    _PyInterpreterFrame previous=8
    _gil_runtime_state locked=16 last_holder=8
    '''),
    ((3, 8), (3, 10), '''
    PyCodeObject size=176 co_kwonlyargcount=24 co_flags=36 co_firstlineno=40 co_filename=104 co_name=112 co_code=48
    PyCodeObject co_nlocals=28 co_stacksize=32 co_varnames=72 co_cellvars=88 co_freevars=80 co_cell2arg=96
    PyThreadState thread_id=176 id=256
    _PyRuntimeState interpreters.head=32
    _gc_runtime_state enabled=12 generations=24 permanent_generation=104 generation_stats=128 collecting=200
    _gc_runtime_state garbage=208
    '''),
    ((3, 7), (3, 9), '''
    PyFrameObject f_lasti=104 f_localsplus=360 f_iblock=112 f_blockstack=120
    PyFunctionObject func_name=64 func_code=16 func_globals=24 func_defaults=32 func_kwdefaults=40 func_closure=48
    PyFunctionObject func_dict=72 func_module=88
    '''),
    ((3, 6), (3, 7), '''
    PyCodeObject size=144 co_kwonlyargcount=20 co_flags=32 co_firstlineno=36 co_filename=96 co_name=104 co_lnotab=112
    PyCodeObject co_code=40 co_nlocals=24 co_stacksize=28 co_varnames=64 co_cellvars=80 co_freevars=72 co_cell2arg=88
    PyGC_Head size=32
    PyHeapTypeObject ht_cached_keys=856
    gc_generation size=48 threshold=32 count=36
    '''),
    ((3, 11), (3, 13), '''
    PyTupleObject ob_item=24
    _PyInterpreterFrame localsplus=72
    _gc_runtime_state enabled=12 generations=24 permanent_generation=104 generation_stats=128 collecting=200
    _gc_runtime_state garbage=208
    lockobject lock_lock=16
    rlockobject rlock_lock=16 rlock_owner=24 rlock_count=32
    '''),
    ((3, 13), (3, 14), '''
    PyInterpreterState threads.head=7344 ceval.gil=16
    PyThreadState current_frame=72 thread_id=152 native_thread_id=160
    _PyInterpreterFrame f_executable=0 instr_ptr=56
    '''),
    ((2, 7), (2, 7), '''
    PyClassObject cl_dict=24 cl_name=32
    PyCodeObject size=128 co_argcount=16 co_flags=28 co_firstlineno=96 co_filename=80 co_name=88 co_lnotab=104
    PyCodeObject co_code=32 co_nlocals=20 co_stacksize=24 co_varnames=56 co_cellvars=72 co_freevars=64
    PyDictObject ma_used=24 ma_mask=32 ma_table=40
    PyFrameObject f_back=24 f_code=32 f_lasti=120 f_localsplus=376 f_valuestack=64 f_iblock=128 f_blockstack=132
    PyFunctionObject func_name=56 func_code=16 func_globals=24 func_defaults=32 func_closure=40 func_dict=64
    PyFunctionObject func_module=80
    PyGC_Head size=32
    PyGenObject gi_frame=16
    PyInstanceObject in_class=16 in_dict=24
    PyIntObject ob_ival=16
    PyInterpreterState next=0 tstate_head=8 modules=16
    PyLongObject ob_digit=24
    PyStringObject ob_sval=36
    PyThreadState next=0 interp=8 frame=16 thread_id=144
    PyTryBlock size=12 b_type=0 b_level=8
    PyTupleObject ob_item=24
    gc_generation size=40 threshold=32 count=36
    lockobject lock_lock=16
    '''),
    ((3, 6), (3, 6), '''
    PyFrameObject f_lasti=120 f_localsplus=376 f_iblock=128 f_blockstack=136
    PyFunctionObject func_name=64 func_code=16 func_globals=24 func_defaults=32 func_kwdefaults=40 func_closure=48
    PyFunctionObject func_dict=72 func_module=88
    PyInterpreterState modules=16
    PyThreadState thread_id=152
    lru_cache_object maxsize=56 func=72 cache=88
    '''),
    ((3, 7), (3, 7), '''
    PyInterpreterState id=16 modules=40
    PyThreadState thread_id=176 id=272
    _PyRuntimeState interpreters.head=24 gilstate.tstate_current=1480 gc=320
    _gc_runtime_state enabled=12 generations=32 permanent_generation=192 generation_stats=240 collecting=312
    _gc_runtime_state garbage=320
    '''),
    ((3, 8), (3, 8), '''
    PyCodeObject co_lnotab=120
    PyHeapTypeObject ht_cached_keys=872
    PyInterpreterState id=16 modules=56
    _PyRuntimeState gilstate.tstate_current=1368 gc=344
    '''),
    ((3, 9), (3, 9), '''
    PyCodeObject co_lnotab=120
    PyHeapTypeObject ht_cached_keys=864
    PyInterpreterState id=24 modules=856 gc=616
    _PyRuntimeState gilstate.tstate_current=568
    '''),
    ((3, 10), (3, 10), '''
    PyCodeObject co_linetable=120
    PyFrameObject f_lasti=96 f_localsplus=352 f_iblock=104 f_blockstack=112
    PyFunctionObject func_name=32 func_globals=16 func_code=48 func_defaults=56 func_kwdefaults=64 func_closure=72
    PyFunctionObject func_dict=88 func_module=104
    PyHeapTypeObject ht_cached_keys=872
    PyInterpreterState id=24 modules=856 gc=616
    PyThreadState cframe=48
    _PyRuntimeState gilstate.tstate_current=568
    '''),
    ((3, 11), (3, 11), '''
    PyASCIIObject size=48
    PyCodeObject size=192 co_argcount=56 co_kwonlyargcount=64 co_firstlineno=72 co_code_adaptive=184
    PyCodeObject _co_firsttraceable=168 co_nlocalsplus=76 co_stacksize=68
    PyCompactUnicodeObject size=72
    PyGenObject gi_iframe=80
    PyHeapTypeObject ht_cached_keys=872
    PyInterpreterState next=0 threads.head=16 id=48 modules=888 gc=648
    PyLongObject ob_digit=24
    PyThreadState cframe=56 thread_id=152 native_thread_id=160 id=240 datastack_chunk=296 datastack_top=304
    PyUnicodeObject data=72
    _PyCFrame current_frame=8
    _PyInterpreterFrame f_code=32 previous=48 prev_instr=56 owner=69
    _PyRuntimeState interpreters.head=40 gilstate.tstate_current=576
    '''),
    ((3, 12), (3, 12), '''
    PyCodeObject size=200 co_code_adaptive=192 _co_firsttraceable=176
    PyInterpreterState next=0 threads.head=72 id=8 imports.modules=944 ceval.gil=384 gc=112
    PyThreadState cframe=56 thread_id=136 native_thread_id=144
    _PyCFrame current_frame=0
    _PyInterpreterFrame f_code=0 prev_instr=56 owner=70
    _PyRuntimeState interpreters.head=40
    '''),
    ((3, 13), (3, 13), '''
    PyCodeObject size=208 co_code_adaptive=200 _co_firsttraceable=184
    PyInterpreterState next=7264 id=7272 imports.modules=7656 gc=7400
    _PyInterpreterFrame owner=70
    _PyRuntimeState interpreters.head=632
    '''),
    ((3, 14), (3, 14), '''
    PyCodeObject size=216 co_code_adaptive=208 _co_firsttraceable=192
    PyDescrObject d_name=24
    PyInterpreterState next=7272 id=7280 imports.modules=7688
    PyTupleObject ob_item=32
    _PyInterpreterFrame stackpointer=64 owner=74 localsplus=80
    _PyRecursiveMutex thread=8 level=16
    _PyRuntimeState interpreters.head=808
    lockobject lock=16
    rlockobject lock=16
    '''),
)
VERSIONS = ((2, 7),) + tuple((3, minor) for minor in range(6, 15))
TABLES = dict((version, ''.join(text for first, last, text in PARTS if first <= version <= last)) for version in VERSIONS)
