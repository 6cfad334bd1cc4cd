/* A cache of rows with wrong reference counts, each in a way that is seen in real extensions. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define SLOTS 8
static PyObject *slots[SLOTS];
static unsigned long turn;

/* Keeps the row in place of an older one: Py_INCREF(row) is missing. */
static PyObject *remember(PyObject *self, PyObject *row) {
  PyObject *old = slots[turn % SLOTS];
  slots[turn++ % SLOTS] = row;
  Py_XDECREF(old);
  Py_RETURN_NONE;
}

/* The first column of a row of a table: drops the row, which PyList_GetItem only lent. */
static PyObject *first_of(PyObject *self, PyObject *args) {
  PyObject *table;
  Py_ssize_t index;
  if (!PyArg_ParseTuple(args, "O!n", &PyList_Type, &table, &index)) return NULL;
  PyObject *row = PyList_GetItem(table, index);
  if (row == NULL) return NULL;
  PyObject *column = PyTuple_GetItem(row, 0);
  Py_XINCREF(column);
  Py_DECREF(row);
  return column;
}

/* Argument tuples that are kept and filled again, although somebody may still hold the last one. */
static PyObject *spare;
static PyObject *envelope(PyObject *self, PyObject *value) {
  if (spare == NULL) {
    spare = PyTuple_New(2);
    if (spare == NULL) return NULL;
    PyObject_GC_UnTrack(spare);
  }
  for (Py_ssize_t i = 0; i < 2; i++) {
    PyObject *old = PyTuple_GET_ITEM(spare, i);
    Py_INCREF(value);
    PyTuple_SET_ITEM(spare, i, value);
    Py_XDECREF(old);
  }
  PyObject_GC_Track(spare);
  Py_INCREF(spare);
  return spare;
}

static PyMethodDef methods[] = {
  {"remember", remember, METH_O, "Keeps a row."},
  {"first_of", first_of, METH_VARARGS, "First column of a row."},
  {"envelope", envelope, METH_O, "A pair to be sent."},
  {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "rowcache", NULL, -1, methods};

PyMODINIT_FUNC PyInit_rowcache(void) { return PyModule_Create(&module); }
