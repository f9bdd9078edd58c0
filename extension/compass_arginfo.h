/* This is a generated file, edit the .stub.php file instead.
 * Stub hash: 72f0330b862fac1e453e27c0d9dbec0ee7cdb254 */

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_Compass_transaction, 0, 1, _IS_BOOL, 0)
ZEND_ARG_TYPE_INFO(0, name, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_Compass_tag, 0, 2, _IS_BOOL, 0)
ZEND_ARG_TYPE_INFO(0, key, IS_STRING, 0)
ZEND_ARG_TYPE_INFO(0, value, IS_STRING, 0)
ZEND_END_ARG_INFO()

ZEND_FUNCTION(Compass_transaction);
ZEND_FUNCTION(Compass_tag);

static const zend_function_entry ext_functions[] = {
    ZEND_NS_FALIAS("Compass", transaction, Compass_transaction, arginfo_Compass_transaction)
        ZEND_NS_FALIAS("Compass", tag, Compass_tag, arginfo_Compass_tag) ZEND_FE_END};
