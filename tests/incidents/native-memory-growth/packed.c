/* Packs text: pack(text) gives its length. The buffer of each call is kept by mistake. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

static PyObject *pack(PyObject *self, PyObject *args) {
  const char *text;
  Py_ssize_t size;
  if (!PyArg_ParseTuple(args, "s#", &text, &size)) return NULL;
  char *buffer = malloc((size_t)size * 2 + 64);
  if (buffer == NULL) return PyErr_NoMemory();
  memset(buffer, 0, (size_t)size * 2 + 64);
  memcpy(buffer, text, (size_t)size);
  return PyLong_FromSsize_t(size + buffer[size]);
}

static PyMethodDef methods[] = {{"pack", pack, METH_VARARGS, "packs text"}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "packed", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_packed(void) { return PyModule_Create(&module); }
